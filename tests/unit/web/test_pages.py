"""Pages for people: complete, made of what this server has, under a policy that allows no more."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from web.docs_page import code, kind
from web.openapi.operations import OPERATIONS
from web.problems import PROBLEMS
from worker.jobs.job import WEBHOOK_EVENTS

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"
PAGES = ["/docs", "/problems/gone"]


class Tags(HTMLParser):
    """The tags of a page with their attributes, and every id."""

    def __init__(self, text):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def values(self, name):
        return [attrs[name] for _, attrs in self.found if name in attrs]


def page(service, path):
    answer = service.client.get(path, headers={"Accept": BROWSER})
    assert answer.content_type == "text/html; charset=utf-8"
    return answer


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_for_nothing_from_elsewhere(service, path):
    tags = Tags(page(service, path).text)
    assert {tag for tag, _ in tags.found}.isdisjoint({"script", "style", "iframe", "base"})
    assert not [name for _, attrs in tags.found for name in attrs if name.startswith("on")]
    assert tags.values("style") == []
    assert all(re.match(r"[/#](?!/)", link) for link in tags.values("href") + tags.values("src"))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_allows_this_server_and_no_other(service, path):
    policy = page(service, path).headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("path", PAGES)
def test_what_a_page_needs_is_served(service, path):
    tags = Tags(page(service, path).text)
    links = [attrs for tag, attrs in tags.found if tag == "link"]
    sheets = [attrs["href"] for attrs in links if attrs["rel"] == "stylesheet"]
    assert sheets
    for sheet in sheets:
        with service.client.get(sheet) as answer:
            assert (answer.status_code, answer.mimetype) == (200, "text/css")
            assert "url(" not in answer.text


def test_every_link_within_the_docs_leads_somewhere(service):
    tags = Tags(page(service, "/docs").text)
    ids = tags.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in tags.values("href") if link.startswith("#")} <= set(ids)


def test_the_docs_show_every_operation_and_problem(service):
    tags = Tags(page(service, "/docs").text)
    assert {operation.id for operation in OPERATIONS.values()} <= set(tags.values("id"))
    assert {f"/problems/{slug}" for slug in PROBLEMS} <= set(tags.values("href"))


def test_the_docs_show_what_webhooks_are_sent(service):
    text = page(service, "/docs").text
    shown = text[text.index('<section id="sent">') : text.index('<section id="keys">')]
    for event in WEBHOOK_EVENTS:
        assert f"<code>{event}</code>" in shown
    assert '<a href="#schema-WebhookBody">' in shown
    assert "<code>webhook-signature</code>" in shown


def test_the_docs_name_the_parts_of_a_form(service):
    text = page(service, "/docs").text
    shown = text[text.index("Parts of multipart/form-data") :]
    assert shown.index("<code>segments</code>") < shown.index("</table>")


@pytest.mark.parametrize("name", ["..%2fpages.py", "nothing.css", "%2e%2e%2fapp.py"])
def test_assets_are_the_files_of_one_folder(service, name):
    answer = service.client.get(f"/assets/{name}")
    assert (answer.status_code, answer.get_json()["type"]) == (404, "/problems/not-found")


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (BROWSER, "text/html"),
        ("text/html", "text/html"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
        ("application/problem+json", "application/json"),
        ("image/png", "application/json"),
    ],
)
def test_a_problem_type_is_shown_as_it_is_asked_for(service, accept, media):
    answer = service.client.get("/problems/queue-full", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (200, media)
    assert "Accept" in answer.headers["Vary"]
    assert PROBLEMS["queue-full"].title in answer.text


@pytest.mark.parametrize("slug", PROBLEMS)
def test_every_problem_type_has_a_page_that_says_what_to_do(service, slug):
    text = page(service, f"/problems/{slug}").text
    assert f"<h1>{code(PROBLEMS[slug].title)}</h1>" in text
    assert str(code(PROBLEMS[slug].advice)) in text


def test_a_problem_type_that_does_not_exist_is_not_found_in_a_browser_either(service):
    answer = service.client.get("/problems/nothing", headers={"Accept": BROWSER})
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_text_between_backticks_is_set_apart_and_everything_escaped():
    assert code("`<b>` & co") == "<code>&lt;b&gt;</code> &amp; co"


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 20}, "integer from 1 to 20"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"type": "string", "minLength": 1, "maxLength": 9}, "string of 1 to 9 characters"),
        ({"type": "string", "maxLength": 9}, "string of at most 9 characters"),
        ({"type": "string", "minLength": 1}, "string of at least 1 characters"),
        ({"type": "array", "items": {"type": "number"}}, "list of number"),
        ({"$ref": "#/components/schemas/Job"}, '<a href="#schema-Job">Job</a>'),
        ({"enum": ["<a>", "b"]}, "<code>&lt;a&gt;</code>, <code>b</code>"),
        ({"const": True}, "<code>true</code>"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "object of string"),
        ({"type": "object", "additionalProperties": False}, "object"),
        ({"type": "string", "contentMediaType": "application/octet-stream"}, "file"),
        ({}, ""),
    ],
)
def test_a_schema_is_told_in_words(schema, told):
    assert str(kind(schema)) == told
