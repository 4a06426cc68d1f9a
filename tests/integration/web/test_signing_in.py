"""Signing in on the page, in a browser: the key is typed once and kept nowhere in it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support import pictures
from tests.support.browser import chromium
from web.keys import KeyStore
from web.principal import scopes_of

pytestmark = pytest.mark.integration

EVERYTHING_KEPT = """() => JSON.stringify([
  Object.entries(localStorage), Object.entries(sessionStorage), document.cookie,
  document.documentElement.outerHTML,
])"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture
def key(kept):
    text, _ = KeyStore(kept).create(
        name="page", tenant="clinic", scopes=scopes_of(["submit", "read"]), expires_in_s=None
    )
    return text


@pytest.fixture
def page(browser, web):
    context = browser.new_context(base_url=str(web.base_url))
    yield context.new_page()
    context.close()


def sign_in(page, key):
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_a_key_is_asked_for_once_and_leads_to_where_one_was_going(page, key):
    page.goto("/explanations")
    expect(page.locator("h1")).to_have_text("Sign in with an API key")
    sign_in(page, "ll_wrong")
    expect(page.get_by_role("alert")).to_contain_text("This key is not good")
    sign_in(page, key)
    expect(page.locator("h1")).to_have_text("Explanations")
    assert page.url.endswith("/explanations")
    expect(page.locator(".who")).to_contain_text("clinic")
    assert key not in page.evaluate(EVERYTHING_KEPT)


def test_in_a_session_the_form_is_sent_with_scripts_and_without(page, key, browser, web):
    page.goto("/")
    sign_in(page, key)
    image = {"name": "cat.png", "mimeType": "image/png", "buffer": pictures.png()}
    page.locator("#image").set_input_files(image)
    page.get_by_role("button", name="Explain this image").click()
    page.wait_for_url("**/explanations/exp_*")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("h2")).to_have_text("This job was canceled")

    context = browser.new_context(base_url=str(web.base_url), java_script_enabled=False)
    plain = context.new_page()
    plain.goto("/")
    sign_in(plain, key)
    plain.locator("#image").set_input_files(image)
    plain.get_by_role("button", name="Explain this image").click()
    expect(plain.locator("#stage")).to_have_text("Waiting for a worker")
    context.close()


def test_a_session_that_has_ended_is_said_and_the_form_stays(page, key):
    page.goto("/")
    sign_in(page, key)
    image = {"name": "cat.png", "mimeType": "image/png", "buffer": pictures.png()}
    page.locator("#image").set_input_files(image)
    page.context.clear_cookies()
    page.get_by_role("button", name="Explain this image").click()
    expect(page.locator("#form-error")).to_contain_text("You are no longer signed in.")


def test_who_signed_out_is_asked_again(page, key):
    page.goto("/")
    sign_in(page, key)
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("h1")).to_have_text("Sign in with an API key")
