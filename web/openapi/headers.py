"""Parameters and headers that several operations have in common."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, get_args

from web.openapi.examples import JOB_ID
from web.problems import PROBLEMS
from worker.explain.options import Style

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}


def _header(description: str, schema: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"description": description, "schema": dict(schema), **more}


PATH: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "job_id": _header(
            "Id of a job.", {**_TEXT, "pattern": "^exp_[0-9a-f]{32}$"}, example=JOB_ID
        ),
        "class_index": _header(
            "An explained class.", {"type": "integer", "minimum": 0}, example=285
        ),
        "filename": _header(
            "A style and the format that it was asked for in.",
            {**_TEXT, "pattern": rf"^({'|'.join(get_args(Style))})\.(png|webp)$"},
            example="signed.png",
        ),
        "name": _header("Name of a model.", {**_TEXT, "minLength": 1}, example="lite0"),
        "slug": _header(
            "A problem type.", {**_TEXT, "enum": list(PROBLEMS)}, example="invalid-request"
        ),
        "asset": _header("A file of the pages.", _TEXT, example="pages.css"),
    }
)

REQUEST: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "Idempotency-Key": _header(
            "Any text of your own that is new for each new request. The same request sent again "
            "under it within 24 hours gets the first answer again and makes no second job.",
            {**_TEXT, "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
        ),
        "If-None-Match": _header(
            "An ETag: answered by 304 while nothing has changed.",
            _TEXT,
        ),
        "Last-Event-ID": _header(
            "The last event that was received: the stream goes on after it.",
            {**_TEXT, "pattern": r"^([0-9]{1,19}(-[0-9]{1,19})?)?$"},
        ),
    }
)

RESPONSE: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "Location": _header("Path of the job.", {**_TEXT, "pattern": "^/"}),
        "Retry-After": _header("Seconds to wait before asking again.", _COUNT),
        "ETag": _header("Names this version of the answer.", _TEXT),
        "Idempotency-Replayed": _header(
            "`true` if an earlier request was answered like this.", {**_TEXT, "const": "true"}
        ),
        "Set-Cookie": _header("The session.", _TEXT),
        "WWW-Authenticate": _header("How to send a key.", _TEXT),
        "RateLimit-Limit": _header("Requests in the period of the rate limit.", _COUNT),
        "RateLimit-Remaining": _header("How many of them are left.", _COUNT),
        "RateLimit-Reset": _header("Seconds until the period ends.", _COUNT),
    }
)

RATE_LIMIT = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
