"""The pages in a browser without JavaScript."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import skimage
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

CAT = Path(skimage.__file__).parent / "data" / "chelsea.png"


@pytest.fixture
def plain(make_page: Any) -> Page:
    opened: Page = make_page(java_script_enabled=False)
    return opened


def test_a_form_is_sent_and_its_page_refreshes_itself_to_the_result(plain: Page) -> None:
    plain.goto("/")
    plain.locator("#image").set_input_files(CAT)
    plain.locator("summary", has_text="Advanced options").click()
    plain.get_by_label("Most samples").fill("200")
    plain.get_by_role("button", name="Explain this image").click()
    expect(plain.locator("h1")).to_have_text("chelsea.png")
    expect(plain.locator("h1")).to_contain_text("Egyptian cat", timeout=60_000)
    expect(plain.locator("#stage img")).to_be_visible()
    expect(plain.locator(".bar")).to_have_count(10)


def test_a_mistake_is_told_on_a_page_in_words(plain: Page) -> None:
    plain.goto("/")
    plain.get_by_role("button", name="Explain this image").click()
    expect(plain.locator("main")).to_contain_text("is missing: choose an image file first")
    plain.goto("/")
    plain.locator("#image").set_input_files(
        {"name": "x.png", "mimeType": "image/png", "buffer": b"GIF89a no image of ours"}
    )
    plain.get_by_role("button", name="Explain this image").click()
    expect(plain.locator("h1")).to_have_text("The image format is not supported")
    expect(plain.locator("main")).to_contain_text("Send a PNG, JPEG or WebP file.")


def test_an_upload_over_the_limit_is_told_on_a_page(plain: Page, tmp_path: Path) -> None:
    plain.goto("/")
    huge = tmp_path / "huge.png"
    huge.write_bytes(b"\0" * 21_000_000)
    plain.locator("#image").set_input_files(huge)
    plain.get_by_role("button", name="Explain this image").click()
    expect(plain.locator("h1")).to_have_text("The request is too large")


def test_an_old_link_says_that_the_job_is_past_its_retention(plain: Page, api: Any) -> None:
    job = api.explain(CAT.read_bytes(), options={"samples": 8, "stopping": "fixed"})
    api.erase(job["id"])
    answer = plain.goto(f"/explanations/{job['id']}")
    assert answer is not None
    assert answer.status == 410
    expect(plain.locator("h1")).to_have_text("This explanation is past its retention")


def test_a_link_is_made_and_shown_without_scripts(plain: Page, cat: dict[str, Any]) -> None:
    plain.goto(f"/explanations/{cat['id']}")
    plain.get_by_role("button", name="Make a link").click()
    plain.goto(plain.locator("#link").input_value())
    expect(plain.locator("h1")).to_contain_text("Egyptian cat")
    expect(plain.get_by_role("navigation")).to_have_count(0)
