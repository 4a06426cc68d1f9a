"""What a browser still shows of explanations after signing out, and after they were erased."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.browser.conftest import Workshop

SIZE_OF_BASE = """() => performance.getEntriesByType("resource")
  .find(({ name }) => name.endsWith("/assets/base.css")).transferSize"""
pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def served(make_workshop: Callable[[], Workshop]) -> Iterator[tuple[str, str]]:
    """The address of a front end, and a key for it."""
    workshop = make_workshop()
    key = workshop.key()
    with workshop.web() as url:
        yield url, key


@contextmanager
def signed_in(browser: Browser, served: tuple[str, str]) -> Iterator[Page]:
    url, key = served
    context = browser.new_context(base_url=url)
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Why did the model say that?")).to_be_visible()
    yield page
    context.close()


def explain(page: Page, image: Path) -> str:
    """Have an image explained on the page, and look at all that there is of it; the job's page."""
    page.goto("/")
    page.set_input_files("#image", image)
    page.get_by_role("button", name="Explain this image").click()
    expect(page.locator("#stage[data-ready]")).to_be_visible(timeout=60_000)
    return page.url


def pictures_of(page: Page) -> list[str]:
    """Addresses of all pictures and files that the page has or leads to."""
    html = page.content()
    paths = set(re.findall(r'(?:src|href|data-[a-z]+)="(/(?:v1/)?explanations/exp_[^"]+)"', html))
    return sorted({path for path in paths if not path.endswith(("/share", "/erase", "/cancel"))})


def statuses(page: Page, paths: list[str]) -> set[int]:
    """What somebody gets who types the addresses in, from the browser's cache or the server."""
    found = set()
    for path in paths:
        answer = page.request.get(path) if path.endswith(".zip") else page.goto(path)
        assert answer is not None
        found.add(answer.status)
    return found


def test_after_signing_out_nothing_is_shown_any_more(
    browser: Browser, served: tuple[str, str], image: Path
) -> None:
    with signed_in(browser, served) as page:
        job = explain(page, image)
        paths = pictures_of(page)
        assert len(paths) >= 6
        assert statuses(page, paths) == {200}
        page.goto(job)
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_title(re.compile("Sign in"))
        assert statuses(page, paths) == {401}


def test_going_back_after_signing_out_shows_nothing(
    browser: Browser, served: tuple[str, str], image: Path
) -> None:
    with signed_in(browser, served) as page:
        explain(page, image)
        page.get_by_role("link", name="History").click()
        expect(page).to_have_title(re.compile("History"))
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_title(re.compile("Sign in"))
        for _ in range(2):
            page.evaluate("history.back()")
            expect(page).to_have_title(re.compile("Sign in"))
            expect(page.locator("img, canvas")).to_have_count(0)


def test_what_was_erased_is_shown_nowhere_again(
    browser: Browser, served: tuple[str, str], image: Path
) -> None:
    with signed_in(browser, served) as page:
        job = explain(page, image)
        paths = pictures_of(page)
        assert statuses(page, paths) == {200}
        page.goto(job)
        page.locator("summary", has_text="Erase").click()
        page.get_by_role("button", name="Erase it now").click()
        expect(page.get_by_role("heading", name="Why did the model say that?")).to_be_visible()
        assert statuses(page, paths) == {410}


def test_going_back_to_what_was_erased_shows_that_it_is_gone(
    browser: Browser, served: tuple[str, str], image: Path
) -> None:
    with signed_in(browser, served) as page:
        explain(page, image)
        page.locator("summary", has_text="Erase").click()
        page.get_by_role("button", name="Erase it now").click()
        expect(page.get_by_role("heading", name="Why did the model say that?")).to_be_visible()
        page.evaluate("history.back()")
        expect(page.get_by_text("past its retention")).to_be_visible()


def test_going_back_to_what_a_program_erased_meanwhile_shows_that_it_is_gone(
    browser: Browser, served: tuple[str, str], image: Path
) -> None:
    url, key = served
    with signed_in(browser, served) as page:
        job = explain(page, image)
        page.get_by_role("link", name="History").click()
        expect(page).to_have_title(re.compile("History"))
        erased = httpx.delete(
            f"{url}/v1/explanations/{job.rpartition('/')[2]}",
            headers={"Authorization": f"Bearer {key}"}, trust_env=False,
        )  # fmt: skip
        assert erased.status_code == 204
        page.evaluate("history.back()")
        expect(page.get_by_text("past its retention")).to_be_visible()


def test_going_back_to_a_list_shows_nothing_that_was_erased_meanwhile(
    browser: Browser, served: tuple[str, str], image: Path
) -> None:
    with signed_in(browser, served) as page:
        job = explain(page, image)
        card = page.locator(f".card a[href$='{job.rpartition('/')[2]}']")
        page.get_by_role("link", name="History").click()
        card.click()
        page.locator("summary", has_text="Erase").click()
        page.get_by_role("button", name="Erase it now").click()
        expect(page.get_by_role("heading", name="Why did the model say that?")).to_be_visible()
        page.evaluate("history.go(-2)")
        expect(page).to_have_title(re.compile("History"))
        expect(card).to_have_count(0)


def test_what_belongs_to_everybody_comes_from_the_cache(
    browser: Browser, served: tuple[str, str]
) -> None:
    with signed_in(browser, served) as page:
        page.goto("/")
        page.goto("/compare")
        assert page.evaluate(SIZE_OF_BASE) == 0
