"""Pages are whole: every block is known to a test, every link leads somewhere, the site builds."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support import pages

pytestmark = pytest.mark.integration

# Each kind has a test in this folder that carries it out, reads it, or applies it. What is drawn
# or computed with pencil and paper is for people.
KINDS = {
    "bash",
    "python",
    "javascript",
    "toml",
    "json",
    "diff",
    "text",
    "drawing",
    "nginx",
    "caddy",
    "yaml",
}
# What a page of HTML has a browser fetch.
LOADED = r'<(?:script|img|link|iframe)[^>]*(?:src|href)="([^"]+)'


def test_every_block_is_of_a_kind_that_a_test_knows() -> None:
    assert {str(block): block.kind for block in pages.blocks() if block.kind not in KINDS} == {}


def test_what_is_for_people_hides_no_command() -> None:
    known = pages.RUN | pages.ELSEWHERE
    for block in pages.blocks("text", "drawing"):
        words = {line.split()[0] for line in block.text.splitlines() if line.strip()}
        assert not words & known, str(block)


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path)],
        cwd=pages.ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    # It is strict: a link, an anchor or a page that leads nowhere is an error.
    assert done.returncode == 0, done.stderr
    built = {path.relative_to(tmp_path).with_suffix(".md") for path in tmp_path.glob("*.html")}
    assert {Path(page.name) for page in pages.PAGES if page.parent.name == "docs"} <= built
    for path in tmp_path.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|img|link|iframe)[^>]*(?:src|href)=\"([^\"]+)", path.read_text()
        )
        assert [one for one in loaded if "://" in one] == [], path.name


def test_every_page_is_in_the_navigation_once() -> None:
    def leaves(part: object) -> list[str]:
        if isinstance(part, str):
            return [part]
        parts = part.values() if isinstance(part, dict) else part
        return [leaf for one in parts for leaf in leaves(one)]  # type: ignore[attr-defined]

    nav = leaves(yaml.safe_load((pages.ROOT / "mkdocs.yml").read_text())["nav"])
    assert sorted(nav) == sorted(path.name for path in (pages.ROOT / "docs").glob("*.md"))


def test_the_front_page_leads_to_every_other() -> None:
    front = (pages.ROOT / "docs" / "index.md").read_text()
    others = {path.name for path in (pages.ROOT / "docs").glob("*.md")} - {"index.md"}
    assert set(re.findall(r"\]\((\w+\.md)\)", front)) == others


def test_the_contents_of_the_images_can_be_listed(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "Makefile", "constraints"):
        (tmp_path / name).symlink_to(pages.ROOT / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    make = shutil.which("make")
    assert make is not None
    subprocess.run(
        [make, "--old-file=.venv/.test", "sbom"], cwd=tmp_path, check=True, timeout=240,
        capture_output=True,
    )  # fmt: skip
    for image in ("web", "worker"):
        listed = yaml.safe_load((tmp_path / "dist" / "sbom" / f"{image}.cdx.json").read_text())
        pinned = (pages.ROOT / "constraints" / f"{image}.txt").read_text()
        names = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", pinned, re.MULTILINE))
        assert {part["name"] for part in listed["components"]} == names
