"""Cross-origin requests: which pages of other origins a browser lets read our answers.

None unless the operator names them. Flask-CORS was weighed for this: it says ``Vary: Origin`` only
where an origin matched, so that a shared cache gives one page's answer to another, and takes an
origin with an IPv6 address for a regular expression. What is left to do is little.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flask import Flask, Response, current_app, request

from web.auth import Guarded

# What a page may send besides what every page may.
SENT: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
    "Limelight-Api-Key",
    "traceparent",
    "tracestate",
)
# What a page may read besides the type and the length of an answer.
READ: Final = (
    "Allow",
    "Content-Disposition",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "WWW-Authenticate",
)
# How long a browser remembers that it may ask. Chromium keeps nothing for longer.
_REMEMBERED_S = 7200


class CrossOrigin:
    """Tells browsers that pages of the named origins may use the API.

    It allows no credentials: the session's cookie is for our own pages, and others bring a key.

    Parameters
    ----------
    origins : iterable of str
        As browsers write them.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origins)

    def attend(self, app: Flask) -> None:
        """Mark this application's answers, those that refuse included."""
        if self._origins:
            app.after_request(self._mark)

    def allows(self) -> bool:
        """Whether the current request comes from a page of a named origin."""
        return request.headers.get("Origin") in self._origins

    def _mark(self, answer: Response) -> Response:
        view = current_app.view_functions.get(request.endpoint or "")
        if isinstance(view, Guarded) and view.is_page:
            return answer
        answer.vary.add("Origin")
        if not self.allows():
            return answer
        answer.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        answer.headers["Access-Control-Expose-Headers"] = ", ".join(READ)
        if is_preflight():
            answer.headers["Access-Control-Allow-Methods"] = answer.headers.get("Allow", "")
            answer.headers["Access-Control-Allow-Headers"] = ", ".join(SENT)
            answer.headers["Access-Control-Max-Age"] = str(_REMEMBERED_S)
        return answer


def is_preflight() -> bool:
    """Whether a browser asks what it may ask; no view is run for that."""
    return request.method == "OPTIONS"
