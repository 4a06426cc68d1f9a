"""One bad request, and short ways to make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.support import pictures
from tests.support.requests import JSON, MULTIPART, document_with

EXPLANATIONS = "/v1/explanations"
PNG = pictures.png()
HUGE = "9" * 5_000


@dataclass(frozen=True, kw_only=True)
class BadInput:
    """One request and the answer it must get; ``says`` is a part of the answer's text."""

    name: str
    status: int
    slug: str
    body: bytes = b""
    content_type: str | None = None
    pointer: str | None = None
    says: str = ""
    method: str = "POST"
    path: str = EXPLANATIONS
    headers: Mapping[str, str] = field(default_factory=dict)


def of_json(name, more, pointer=None, *, status=422, slug="invalid-request", says=""):
    return BadInput(
        name=name,
        status=status,
        slug=slug,
        body=document_with(PNG, more),
        content_type=JSON,
        pointer=pointer,
        says=says,
    )


def raw_json(name, body, pointer=None, *, status=400, says=""):
    return BadInput(
        name=name,
        status=status,
        slug="invalid-request",
        body=body,
        content_type=JSON,
        pointer=pointer,
        says=says,
    )


def of_form(name, body, pointer=None, *, status=422, slug="invalid-request", says=""):
    return BadInput(
        name=name,
        status=status,
        slug=slug,
        body=body,
        content_type=MULTIPART,
        pointer=pointer,
        says=says,
    )
