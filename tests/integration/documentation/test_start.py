"""The first page, from six lines to a picture, beside a model server that runs already."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.redis_server import free_port
from tests.support import pages
from tests.support.quadrant_server import QuadrantServer

pytestmark = pytest.mark.integration

PAGE = pages.ROOT / "docs" / "start.md"


def of_page(kind: str) -> list[str]:
    return [block.text for block in pages.blocks(kind) if block.page == PAGE]


@pytest.fixture
def profile(folder: Path, tmp_path: Path, model_server: QuadrantServer) -> Path:
    """The page's profile, with this server's address and model in the place of the reader's."""
    text = of_page("toml")[0].replace("127.0.0.1:8500", f"127.0.0.1:{model_server.port}")
    # The stand-in takes raw pixels, and has more outputs than there are kinds of lesion.
    text = text.replace('servable = "lesions"', f'servable = "{model_server.name}"')
    text = text.replace('preprocess = "torch"', 'preprocess = "raw"')
    (tmp_path / "lesions.txt").write_text("\n".join(f"kind {n}" for n in range(1000)))
    file = tmp_path / "models.toml"
    file.write_text(text)
    return file


def make_serve(profile: Path) -> list[str]:
    """What the page's make command does once everything is installed."""
    (line,) = (line for line in of_page("bash")[0].splitlines() if line.startswith("make"))
    words = shlex.split(line.replace("$PWD", str(profile.parent)))
    assert words[:4] == ["make", "-C", "limelight", "serve"]
    said = subprocess.run(
        ["make", "--dry-run", "--old-file=.venv/.stack", *words[3:]],
        # As from a shell: a make that runs the tests hands down its own options and variables.
        cwd=pages.ROOT, env={"PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    program, *arguments = shlex.split(said.splitlines()[-1])
    assert program.endswith("bin/python")
    return [sys.executable, *arguments, "--port", str(free_port())]


@pytest.fixture
def served(profile: Path) -> Iterator[str]:
    process = subprocess.Popen(
        make_serve(profile), cwd=pages.ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        found = (re.search(r"runs at (http\S+)", line) for line in process.stdout)
        address = next(filter(None, found), None)
        assert address is not None, "it did not start"
        yield address.group(1)
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_the_first_explanation_takes_three_commands(served: str, folder: Path) -> None:
    clone, serve = of_page("bash")[0].splitlines()
    explain = of_page("bash")[1].strip()
    assert (clone.split()[:2], serve.split()[0]) == (["git", "clone"], "make")

    out = "explained-first"
    done = subprocess.run(
        ["bash", "-c", explain.replace("--out explained", f"--out {out}")],
        cwd=folder, env={**os.environ, "LIMELIGHT_URL": served, "NO_PROXY": "127.0.0.1"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "kind 285" in done.stdout
    assert (folder / out / "cat" / "285-signed.png").stat().st_size > 0


def test_a_profile_that_cannot_work_is_told_and_nothing_is_started(profile: Path) -> None:
    profile.write_text(profile.read_text().replace("preprocess", "preproces"))
    done = subprocess.run(
        make_serve(profile),
        cwd=pages.ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "did you mean 'preprocess'?" in done.stderr
    assert "runs at" not in done.stdout
