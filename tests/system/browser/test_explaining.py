"""From an image in the browser to the figures of a segment, and what is said when that fails."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import pytest
import skimage
from PIL import Image
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

CAT = Path(skimage.__file__).parent / "data" / "chelsea.png"
HAND_OVER = """([encoded, name, type, event]) => {
  const bytes = Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], name, {type}));
  const made = event === "paste"
    ? new ClipboardEvent("paste", {clipboardData: files, bubbles: true})
    : new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true});
  document.querySelector("#drop").dispatchEvent(made);
}"""


def hand_over(page: Page, data: bytes, *, name: str, media: str, event: str) -> None:
    page.evaluate(HAND_OVER, [base64.b64encode(data).decode(), name, media, event])


def encoded(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def point_at(page: Page, x: float, y: float) -> None:
    """Move the pointer to a place of the image, in shares of its sides."""
    box = page.locator("#stage").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])


def at_most(page: Page, samples: int) -> None:
    """Ask for few samples, so that the job is short."""
    page.locator("summary", has_text="Advanced options").click()
    page.get_by_label("Most samples").fill(str(samples))


def job_of(page: Page) -> str:
    return page.url.partition("/explanations/")[2].partition("?")[0]


def test_from_a_dropped_image_over_live_progress_to_the_figures_of_a_segment(
    page: Page, api: Any
) -> None:
    page.goto("/")
    hand_over(page, CAT.read_bytes(), name="my cat.png", media="image/png", event="drop")
    expect(page.locator("#drop-text")).to_contain_text("my cat.png")
    page.get_by_label("Classes", exact=True).select_option("2")
    at_most(page, 256)
    page.get_by_role("spinbutton", name="Seed").fill("21")
    page.get_by_role("button", name="Explain this image").click()

    expect(page.locator("#count")).to_have_text(re.compile(r"[1-9]\d* of at most 256 samples"))
    expect(page.locator("#stage[data-ready]")).to_be_visible(timeout=90_000)
    job = api.ended(job_of(page))
    assert job["metadata"] == {"filename": "my cat.png"}
    assert job["options"]["seed"] == 21
    assert len(job["explanations"]) == 2

    figures, labels = api.attributions(job["id"]), api.labels(job["id"])
    height, width = labels.shape
    for x, y in ((0.3, 0.4), (0.7, 0.7), (0.98, 0.03)):
        point_at(page, x, y)
        segment = int(labels[int(y * height), int(x * width)])
        value = figures["classes"][0]["attributions"][segment]
        error = figures["classes"][0]["standard_errors"][segment]
        readout = page.locator("#readout")
        expect(readout).to_contain_text(f"Segment {segment} · rank ")
        expect(readout).to_contain_text(f"{abs(value):.3f}" if abs(value) >= 0.001 else "e-")
        expect(readout).to_contain_text(f"± {1.96 * error:.3f}")


def test_a_pasted_image_is_taken(page: Page) -> None:
    page.goto("/")
    hand_over(page, CAT.read_bytes(), name="image.png", media="image/png", event="paste")
    expect(page.locator("#preview")).to_be_visible()
    assert page.evaluate("document.querySelector('#image').files.length") == 1


def test_a_photograph_that_is_there_is_explained_without_a_file(page: Page, api: Any) -> None:
    page.goto("/")
    page.locator("label.sample", has_text="Coffee").click()
    page.get_by_label("or these").fill("espresso, 968")
    at_most(page, 64)
    page.get_by_role("button", name="Explain this image").click()
    page.wait_for_url("**/explanations/exp_*")
    job = api.ended(job_of(page))
    assert [one["class_index"] for one in job["explanations"]] == [967, 968]


def test_arrow_keys_walk_over_the_segments_and_are_told_to_screen_readers(
    page: Page, cat: dict[str, Any]
) -> None:
    page.goto(f"/explanations/{cat['id']}")
    expect(page.locator("#stage[data-ready]")).to_be_visible()
    strongest = cat["explanations"][0]["top_segments"][0]["segment"]
    page.locator("#stage").focus()
    page.keyboard.press("Home")
    spoken = page.locator("#spoken")
    expect(spoken).to_have_text(re.compile(rf"Segment {strongest}, rank 1: \+0\.\d+.*speaks for"))
    page.keyboard.press("ArrowDown")
    expect(spoken).not_to_contain_text(f"Segment {strongest},")
    page.keyboard.press("Escape")
    expect(page.locator("#readout")).to_contain_text("Point at a segment")


def test_a_bar_of_the_chart_points_at_its_segment_and_back(page: Page, cat: dict[str, Any]) -> None:
    page.goto(f"/explanations/{cat['id']}")
    expect(page.locator("#stage[data-ready]")).to_be_visible()
    third = cat["explanations"][0]["top_segments"][2]["segment"]
    page.locator(".class:not([hidden]) .bar").nth(2).click()
    expect(page.locator("#readout")).to_contain_text(f"Segment {third} · rank 3 ")
    expect(page.locator(".bar.is-shown")).to_have_attribute("data-segment", str(third))


def test_tabs_change_the_class_and_the_style_and_the_slider_the_opacity(
    page: Page, cat: dict[str, Any]
) -> None:
    page.goto(f"/explanations/{cat['id']}")
    expect(page.locator("#stage[data-ready]")).to_be_visible()
    picture = "document.querySelectorAll('#stage canvas')[1].toDataURL()"
    seen = {page.evaluate(picture)}
    for style in ("Heat map", "Strongest", "Segments"):
        page.get_by_role("radio", name=style).click()
        seen.add(page.evaluate(picture))
    page.get_by_role("radio", name="For and against").click()
    page.get_by_role("tab", name="tiger cat").click()
    expect(page.locator(".class:not([hidden])")).to_have_attribute("data-name", "tiger cat")
    seen.add(page.evaluate(picture))
    assert len(seen) == 5
    page.locator("#opacity").fill("30")
    overlay = "getComputedStyle(document.querySelectorAll('#stage canvas')[1]).opacity"
    assert page.evaluate(overlay) == "0.3"


def test_a_link_shows_the_explanation_to_who_has_it_and_nothing_else(
    page: Page, make_page: Any, cat: dict[str, Any]
) -> None:
    page.goto(f"/explanations/{cat['id']}")
    page.get_by_role("button", name="Make a link").click()
    expect(page.locator("#link")).to_be_visible()
    guest = make_page()
    guest.goto(page.locator("#link").input_value())
    expect(guest.locator("#stage[data-ready]")).to_be_visible()
    expect(guest.get_by_role("navigation")).to_have_count(0)
    expect(guest.get_by_role("button", name="Make a link")).to_have_count(0)


def test_the_evidence_is_downloaded_as_a_file(page: Page, cat: dict[str, Any]) -> None:
    page.goto(f"/explanations/{cat['id']}")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Evidence").click()
    assert waiting.value.suggested_filename == f"limelight-{cat['id']}.zip"


def test_what_is_no_image_or_too_large_is_refused_before_it_is_sent(
    page: Page, tmp_path: Path
) -> None:
    page.goto("/")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    error = page.locator("#form-error")
    hand_over(page, b"%PDF-1.7", name="scan.pdf", media="application/pdf", event="drop")
    expect(error).to_contain_text("scan.pdf is no PNG, JPEG or WebP image.")
    limit = int(page.locator("#explain").get_attribute("data-max-bytes") or 0)
    huge = tmp_path / "huge.png"
    huge.write_bytes(b"\0" * (limit + 1_000_000))
    page.locator("#image").set_input_files(huge)
    expect(error).to_contain_text("huge.png has 21.0 MB and may have at most 20.0 MB.")
    page.get_by_role("button", name="Explain this image").click()
    expect(error).to_have_text("Choose an image first.")
    assert "POST" not in sent


def test_what_only_the_server_can_tell_is_said_in_its_words(page: Page) -> None:
    page.goto("/")
    hand_over(page, b"GIF89a" + b"\0" * 64, name="x.png", media="image/png", event="drop")
    page.get_by_role("button", name="Explain this image").click()
    expect(page.locator("#form-error")).to_contain_text("The image format is not supported")
    expect(page.get_by_role("button", name="Explain this image")).to_be_enabled()


def test_a_server_that_is_gone_is_said_and_the_form_stays(page: Page) -> None:
    page.goto("/")
    page.locator("label.sample", has_text="Cat").click()
    page.context.set_offline(True)
    page.get_by_role("button", name="Explain this image").click()
    expect(page.locator("#form-error")).to_contain_text("The server cannot be reached.")
    page.context.set_offline(False)
    page.get_by_role("button", name="Explain this image").click()
    page.wait_for_url("**/explanations/exp_*")


def test_a_lost_connection_is_said_while_a_job_runs_and_the_result_comes_all_the_same(
    page: Page, api: Any
) -> None:
    page.route("**/events", lambda route: route.abort())
    page.goto("/")
    page.locator("label.sample", has_text="Rocket").click()
    at_most(page, 256)
    page.get_by_role("button", name="Explain this image").click()
    expect(page.locator("#lost")).to_contain_text("The connection is lost.")
    page.unroute("**/events")
    expect(page.locator("#stage[data-ready]")).to_be_visible(timeout=90_000)


def test_a_job_that_failed_says_why_and_what_to_do(page: Page) -> None:
    page.goto("/")
    plain = encoded(Image.new("RGB", (64, 64), (120, 130, 140)))
    hand_over(page, plain, name="plain.png", media="image/png", event="drop")
    page.locator("summary", has_text="Advanced options").click()
    page.get_by_label("Segmentation").select_option("felzenszwalb")
    page.get_by_role("button", name="Explain this image").click()
    expect(page.locator(".badge.failed")).to_be_visible(timeout=60_000)
    expect(page.locator(".panel")).to_contain_text("segment")
    page.get_by_role("link", name="What can be done about it").click()
    expect(page.locator("h1")).to_have_text("The image has fewer than two segments")
