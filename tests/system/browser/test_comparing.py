"""Two explanations side by side: one scale, a difference where there can be one, and why not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import skimage
from PIL import Image
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

CAT = Path(skimage.__file__).parent / "data" / "chelsea.png"


def side(job: dict[str, Any], number: int = 0) -> str:
    return f"{job['id']}:{job['explanations'][number]['class_index']}"


def compare(page: Page, left: str, right: str) -> None:
    page.goto(f"/compare?a={left}&b={right}")
    expect(page.locator("#compared[data-ready]")).to_be_visible()


def number(text: str) -> float:
    return float(text.split(maxsplit=1)[0].replace("−", "-"))


def test_two_classes_of_one_job_are_set_against_each_other_segment_by_segment(
    page: Page, api: Any, cat: dict[str, Any]
) -> None:
    page.goto(f"/explanations/{cat['id']}")
    page.get_by_label("Compare with").select_option(side(cat, 1))
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#compared[data-ready]")).to_be_visible()

    first, second = (one["attributions"] for one in api.attributions(cat["id"])["classes"][:2])
    apart = [a - b for a, b in zip(first, second, strict=True)]
    most = max(range(len(apart)), key=lambda segment: abs(apart[segment]))
    cells = page.locator(".differences tbody tr").first.locator("th, td").all_inner_texts()
    assert cells[0] == str(most)
    shown = [number(cell) for cell in cells[1:]]
    assert shown == pytest.approx([first[most], second[most], apart[most]], abs=6e-4)

    limit = max(map(abs, [*first, *second, *apart]))
    expect(page.locator("#legend")).to_contain_text(f"+{limit:.3f}")


def test_pointing_at_a_segment_points_at_it_on_both_sides_and_in_the_difference(
    page: Page, cat: dict[str, Any]
) -> None:
    compare(page, side(cat, 0), side(cat, 1))
    page.locator(".compared-side .stage").first.hover()
    readouts = page.locator(".side-readout").all_inner_texts()
    assert len({text.partition(":")[0] for text in readouts}) == 1
    assert readouts[0].startswith("Segment ")


def test_other_segments_are_compared_by_pixel_and_it_is_said_why(page: Page, api: Any) -> None:
    grid = api.explain(
        CAT.read_bytes(),
        options={"samples": 64, "stopping": "fixed", "segmentation": {"method": "grid"}},
    )
    slic = api.explain(CAT.read_bytes())
    compare(page, side(grid), side(slic))
    expect(page.locator(".notice")).to_contain_text("The segments differ (49 and ")
    expect(page.locator("#legend")).to_be_visible()
    page.locator("#difference").hover()
    expect(page.locator(".side-readout").last).to_contain_text("per 1 % of the image")
    expect(page.locator(".differences")).to_have_count(0)


def test_images_of_different_sizes_have_no_difference_and_it_is_said_why(
    page: Page, api: Any, cat: dict[str, Any]
) -> None:
    stream = io.BytesIO()
    Image.open(CAT).resize((200, 200)).save(stream, "PNG")
    other = api.explain(stream.getvalue())
    compare(page, side(cat), side(other))
    expect(page.locator(".notice").first).to_contain_text("two different images")
    expect(page.locator(".notice").last).to_contain_text("differ in size")
    expect(page.locator("#difference")).to_have_count(0)
