"""A client's own labels on the page: what is pointed at has the number that was sent."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import skimage
from PIL import Image
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

LABELS = (7, 300, 65_000)


def encoded(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def job(api: Any) -> dict[str, Any]:
    labels = np.repeat(np.array(LABELS, np.uint16), 100)[None, :].repeat(200, axis=0)
    image = np.asarray(Image.fromarray(skimage.data.chelsea()).resize((300, 200)))
    found: dict[str, Any] = api.explain(encoded(image), segments=encoded(labels))
    assert {one["segment"] for one in found["explanations"][0]["top_segments"]} == set(LABELS)
    return found


def test_pointing_at_a_region_tells_its_own_label(page: Page, job: dict[str, Any]) -> None:
    page.goto(f"/explanations/{job['id']}")
    stage = page.locator("#stage[data-ready]")
    expect(stage).to_be_visible()
    box = stage.bounding_box()
    assert box is not None
    for third, label in enumerate(LABELS):
        x = box["x"] + box["width"] * (third + 0.5) / 3
        page.mouse.move(x, box["y"] + box["height"] / 2)
        expect(page.locator("#readout")).to_contain_text(f"Segment {label} · rank ")
        bar = page.locator(".class:not([hidden]) .bar.is-shown")
        expect(bar).to_have_attribute("data-segment", str(label))


def test_a_bar_points_at_the_region_of_its_label(page: Page, job: dict[str, Any]) -> None:
    page.goto(f"/explanations/{job['id']}")
    expect(page.locator("#stage[data-ready]")).to_be_visible()
    for rank, top in enumerate(job["explanations"][0]["top_segments"]):
        page.locator(".class:not([hidden]) .bar").nth(rank).hover()
        expect(page.locator("#readout")).to_contain_text(
            f"Segment {top['segment']} · rank {rank + 1} of 3"
        )
