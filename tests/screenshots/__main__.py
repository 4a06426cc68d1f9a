"""`make screenshots`: start the demo's stack, explain, and write docs/images/page-*.webp."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from deploy.demo.client import Finished, Service, explain_all, photographs
from deploy.demo.signals import StopSignals
from deploy.demo.stack import running_stack
from tests.support.browser import chromium

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
QUALITY = 82
CLASSES = 3
TIMEOUT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Shot:
    """What to take a picture of.

    Attributes
    ----------
    path : str
        Of the page; ``{cat}`` stands for the cat's job, ``{classes[0]}`` for its first class.
    ready : str
        Selector of what is there once the page is.
    prepare : callable
        Brings the page into the state to be shown.
    """

    name: str
    path: str
    ready: str
    width: int = 1280
    height: int = 860
    scheme: str = "light"
    prepare: Callable[[Page], None] = lambda page: None


def point_at_the_eye(page: Page) -> None:
    """Point at the segment around the cat's left eye."""
    box = page.locator("#stage").bounding_box()
    if box is not None:
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.3 * box["height"])


_JOB = "/explanations/{cat}"
_COMPARE = "/compare?a={cat}:{classes[0]}&b={cat}:{classes[1]}"
_STAGE, _COMPARED = "#stage[data-ready]", "#compared[data-ready]"
SHOTS = (
    Shot(name="home", path="/", ready="#explain"),
    Shot(name="job", path=_JOB, ready=_STAGE, prepare=point_at_the_eye),
    Shot(name="job-dark", path=_JOB, ready=_STAGE, scheme="dark", prepare=point_at_the_eye),
    Shot(name="compare", path=_COMPARE, ready=_COMPARED),
    Shot(
        name="phone",
        path=_JOB,
        ready=_STAGE,
        width=390,
        height=844,
        prepare=point_at_the_eye,
    ),
)


def main() -> int:
    """Take all pictures; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder (docs/images)")
    out = parser.parse_args().out
    with (
        StopSignals() as signals,
        running_stack(port=None, signals=signals, say=print) as stack,
        Service(stack.address) as service,
    ):
        cat, _ = explain_all(
            service,
            photographs(),
            classes=CLASSES,
            on_progress=lambda *_: None,
            check=stack.check,
            timeout_s=TIMEOUT_S,
        )
        with chromium() as browser:
            for shot in SHOTS:
                take(browser, shot, stack.address, cat, out / f"page-{shot.name}.webp")
    return 0


def take(browser: Browser, shot: Shot, address: str, cat: Finished, file: Path) -> None:
    """Take one picture and write it."""
    context = browser.new_context(
        base_url=address,
        viewport={"width": shot.width, "height": shot.height},
        color_scheme="dark" if shot.scheme == "dark" else "light",
        device_scale_factor=1.5,
        reduced_motion="reduce",
    )
    page = context.new_page()
    classes = [one["class_index"] for one in cat.job["explanations"]]
    page.goto(shot.path.format(cat=cat.job["id"], classes=classes))
    page.wait_for_selector(shot.ready)
    shot.prepare(page)
    page.wait_for_load_state("networkidle")
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").save(file, "WEBP", quality=QUALITY, method=6)
    print(f"{file}: {picture.width} × {picture.height}, {file.stat().st_size // 1000} kB")
    context.close()


if __name__ == "__main__":
    sys.exit(main())
