"""The changes of docs/extending.md, applied to a copy of the code and used as the page says."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.documentation.conftest import running
from tests.support import pages
from tests.support.private_redis import private_redis
from tests.support.quadrant_server import QuadrantServer

pytestmark = pytest.mark.integration

CHANGES = [block for block in pages.blocks("diff") if block.page.name == "extending.md"]
COMMANDS = [block for block in pages.blocks("bash") if block.page.name == "extending.md"]


def test_every_diff_of_the_documentation_is_one_of_these() -> None:
    assert pages.blocks("diff") == CHANGES


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A copy of our packages with all changes made."""
    directory = tmp_path / "code"
    for name in ("limelight", "web", "worker"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(pages.ROOT / name, directory / name, ignore=ignored)
    for block in CHANGES:
        # Lines move as the code grows; what is beside them must still be there.
        done = subprocess.run(
            ["git", "apply", "-C1", "-"],
            cwd=directory, input=block.text, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}: {done.stderr}"
    return directory


def test_the_changes_add_what_the_page_says(
    code: Path, tmp_path: Path, folder: Path, model_server: QuadrantServer
) -> None:
    with (
        private_redis(tmp_path / "redis") as redis,
        running(tmp_path, redis.url, model_server, folder / "cat.jpg", code) as changed,
    ):
        jobs = [
            explained(block.text.strip(), number, folder, changed.environment(folder))
            for number, block in enumerate(COMMANDS)
        ]
    striped, alone, lit = jobs
    assert striped["segments"]["count"] == 9
    assert alone["samples"]["used"] == 99
    assert set(lit["explanations"][0]["overlays"]) == {"spotlight"}


def explained(
    command: str, number: int, folder: Path, environment: dict[str, str]
) -> dict[str, object]:
    out = folder / f"extending-{number}"
    done = subprocess.run(
        ["bash", "-c", f"{command} --out {out}"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    (job,) = out.glob("*/job.json")
    found: dict[str, object] = json.loads(job.read_text())
    return found
