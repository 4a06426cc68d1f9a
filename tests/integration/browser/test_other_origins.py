"""The API from pages of other origins, in a browser that keeps them apart."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page
from pytest_httpserver import HTTPServer

from tests.integration.browser.conftest import Workshop

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

# What an application of somebody else's does, with nothing but what browsers have.
EXPLAIN = """async ([url, key, encoded]) => {
  const headers = {Authorization: `Bearer ${key}`};
  const image = await (await fetch(`data:image/png;base64,${encoded}`)).blob();
  const body = new FormData();
  body.append("image", image, "cat.png");
  body.append("overlays", "signed");
  const accepted = await fetch(`${url}/v1/explanations`, {
    method: "POST", body, headers: {...headers, "Idempotency-Key": crypto.randomUUID?.() ?? "one"},
  });
  const job = await accepted.json();
  const events = await (await fetch(url + job.links.events, {headers})).text();
  const answer = await fetch(url + accepted.headers.get("Location"), {headers});
  const done = await answer.json();
  const again = await fetch(url + accepted.headers.get("Location"), {
    headers: {...headers, "If-None-Match": answer.headers.get("ETag")},
  });
  const picture = await createImageBitmap(
    await (await fetch(url + done.explanations[0].overlays.signed, {headers})).blob(),
  );
  const erased = await fetch(url + done.links.self, {method: "DELETE", headers});
  return {
    accepted: accepted.status, wait: accepted.headers.get("Retry-After"), events,
    status: done.status, again: again.status, width: picture.width, erased: erased.status,
  };
}"""
REFUSED = """async ([url, path, options]) => {
  const answer = await fetch(url + path, options);
  return {status: answer.status, problem: (await answer.json()).type};
}"""


@pytest.fixture(scope="module")
def served(
    make_workshop: Callable[[], Workshop], elsewhere: HTTPServer
) -> Iterator[tuple[str, str]]:
    workshop = make_workshop()
    key = workshop.key()
    named = f"http://app.example.net:{elsewhere.port}"
    with workshop.web(cors_origins=named) as url:
        yield url, key


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[HTTPServer]:
    """A server of somebody else's pages, by several names."""
    with HTTPServer() as server:
        page = "<!doctype html><title>Elsewhere</title>"
        server.expect_request(re.compile(".*")).respond_with_data(page, content_type="text/html")
        yield server


@pytest.fixture
def open_at(browser: Browser, elsewhere: HTTPServer) -> Iterator[Callable[[str], Page]]:
    context = browser.new_context()

    def at(name: str) -> Page:
        page = context.new_page()
        page.goto(f"http://{name}:{elsewhere.port}/")
        return page

    yield at
    context.close()


def test_an_application_of_a_named_origin_does_all_that_a_client_does(
    open_at: Callable[[str], Page], served: tuple[str, str], image: Path
) -> None:
    encoded = base64.b64encode(image.read_bytes()).decode()
    told = open_at("app.example.net").evaluate(EXPLAIN, [*served, encoded])
    assert "event: succeeded" in told.pop("events")
    assert told.pop("width") > 0
    assert told == {
        "accepted": 202, "wait": "1", "status": "succeeded", "again": 304, "erased": 204,
    }  # fmt: skip


def test_it_can_read_why_it_was_refused(
    open_at: Callable[[str], Page], served: tuple[str, str]
) -> None:
    page, (url, key) = open_at("app.example.net"), served
    headers = {"Authorization": f"Bearer {key}"}
    for path, options, status, problem in (
        ("/v1/models", {}, 401, "unauthorized"),
        ("/v1/explanations/exp_0", {"headers": headers}, 404, "not-found"),
        ("/v1/explanations", {"method": "POST", "headers": headers}, 415, "unsupported-media-type"),
    ):
        told = page.evaluate(REFUSED, [url, path, options])
        assert told == {"status": status, "problem": f"/problems/{problem}"}


@pytest.mark.parametrize(
    ("name", "path", "options"),
    [
        ("other.example.net", "/v1/models", {}),
        ("other.example.net", "/v2/health/live", {}),
        ("app.example.net", "/v1/models", {"credentials": "include"}),
        ("app.example.net", "/v1/models", {"headers": {"X-CSRF-Token": "x"}}),
        ("app.example.net", "/sign-in", {}),
    ],
)
def test_the_browser_gives_nothing_to_others_and_no_cookies_to_anybody(
    open_at: Callable[[str], Page],
    served: tuple[str, str],
    name: str,
    path: str,
    options: dict[str, object],
) -> None:
    with pytest.raises(Error, match="Failed to fetch"):
        open_at(name).evaluate(REFUSED, [served[0], path, options])
