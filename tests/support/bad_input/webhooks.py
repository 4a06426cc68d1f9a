"""Webhooks that may not be: URLs that lead inside, or are none, as JSON and as form fields."""

from __future__ import annotations

import json

from tests.support.bad_input.case import PNG, BadInput, of_form, of_json
from tests.support.hostile_urls import HOSTILE_URLS
from tests.support.requests import form

_GOOD = '"url": "https://example.org/hook"'
_SLUG = "bad-webhook-url"
_POINTER = "/webhook/url"


def _of_url(number: int, url: str) -> BadInput:
    # A character that no text may hold is refused as such, wherever it stands.
    slug = "invalid-request" if "\0" in url else _SLUG
    name = f"webhook {number}: {url[:60]!a}"
    return of_json(name, f'"webhook": {json.dumps({"url": url})}', _POINTER, slug=slug)


WEBHOOKS = [
    *(_of_url(number, url) for number, url in enumerate(HOSTILE_URLS)),
    of_form(
        "internal webhook in a form",
        form(PNG, **{"webhook.url": "https://169.254.169.254/latest"}),
        _POINTER,
        slug=_SLUG,
        says="internal address",
    ),
    of_json("webhook of the file system", '"webhook": {"url": "file:///etc/passwd"}', _POINTER,
            slug=_SLUG, says="must begin with https://"),
    of_json("webhook without a URL", '"webhook": {}', _POINTER, says="required"),
    of_json("webhook as text", '"webhook": "https://example.org/"', "/webhook", says="object"),
    of_json("webhook that is a list", '"webhook": []', "/webhook", says="object"),
    of_json("webhook URL that is a number", '"webhook": {"url": 1}', _POINTER),
    of_json("webhook URL that is null", '"webhook": {"url": null}', _POINTER),
    of_json(
        "unknown field of a webhook",
        f'"webhook": {{{_GOOD}, "secret": "x"}}',
        "/webhook/secret",
        says="url, events",
    ),
    of_json(
        "unknown event",
        f'"webhook": {{{_GOOD}, "events": ["explanation.started"]}}',
        "/webhook/events/0",
        says="explanation.succeeded, explanation.failed",
    ),
    of_json(
        "event that is a list", f'"webhook": {{{_GOOD}, "events": [[]]}}', "/webhook/events/0"
    ),
    of_json("no events", f'"webhook": {{{_GOOD}, "events": []}}', "/webhook/events"),
    of_json(
        "events as text", f'"webhook": {{{_GOOD}, "events": "explanation.failed"}}',
        "/webhook/events",
    ),
    of_form(
        "unknown event in a form",
        form(PNG, **{"webhook.url": "https://example.org/", "webhook.events": "all"}),
        "/webhook/events/0",
        says="explanation.canceled",
    ),
    of_form(
        "webhook events without a URL",
        form(PNG, **{"webhook.events": "explanation.failed"}),
        _POINTER,
        says="required",
    ),
    of_form("webhook as a plain field", form(PNG, webhook="https://example.org/"), "/webhook"),
]  # fmt: skip
