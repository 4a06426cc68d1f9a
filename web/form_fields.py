"""Form fields as the document that JSON would have said, its leaves still text.

``options.segmentation.n_segments=40`` stands for ``{"options": {"segmentation": {"n_segments":
"40"}}}``; the schema then reads each text by the type of its field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from web.errors import FieldError, InvalidRequest, pointer_to
from web.strict_json import check_values
from worker.explain.options import MAX_EXPLAINED_CLASSES

_MAX_PARTS = 6
_REPLACED = "\N{REPLACEMENT CHARACTER}"


def document_of(fields: Mapping[str, str]) -> dict[str, Any]:
    """Nest the fields by the dots in their names.

    Raises
    ------
    InvalidRequest
        If a name or a text cannot be read, or two fields contradict each other.
    """
    check_values(dict(fields))
    document: dict[str, Any] = {}
    for name, text in fields.items():
        if _REPLACED in text or _REPLACED in name:
            raise InvalidRequest.at(pointer_to([name[:80]]), "is not UTF-8")
        # A key of the metadata is the client's own and may hold dots.
        path = name.split(".", 1 if name.startswith("metadata.") else -1)
        if len(path) > _MAX_PARTS:
            raise InvalidRequest.at(pointer_to([name[:80]]), "unknown field")
        _put(document, path, text)
    for name, read in (("classes", _classes), ("overlays", _list)):
        if isinstance(document.get(name), str):
            document[name] = read(document[name])
    webhook = document.get("webhook")
    if isinstance(webhook, dict) and isinstance(webhook.get("events"), str):
        webhook["events"] = _list(webhook["events"])
    return document


def _put(document: dict[str, Any], path: list[str], text: str) -> None:
    here = document
    for part in path[:-1]:
        below = here.setdefault(part, {})
        if isinstance(below, str):
            # segmentation=grid beside segmentation.rows=3: the text names the method.
            below = here[part] = {"method": below}
        here = below
    last = path[-1]
    there = here.get(last)
    if isinstance(there, dict):
        here, last = there, "method"
    if last in here:
        raise InvalidRequest.at(pointer_to(path), "was given more than once")
    here[last] = text


def _list(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _classes(text: str) -> Any:
    """``3`` asks for the top three; ``285,967`` and ``Egyptian cat`` name classes."""
    if "," not in text and text.strip().isdecimal():
        count = text.strip()
        if len(count) > len(str(MAX_EXPLAINED_CLASSES)) or int(count) > MAX_EXPLAINED_CLASSES:
            detail = (
                f"asks for the top {count[:20]} classes, and at most {MAX_EXPLAINED_CLASSES} can "
                f"be explained; for the class with this index write classes={count[:20]},"
            )
            raise InvalidRequest([FieldError(pointer="/classes", detail=detail)])
        return {"top": count}
    return [
        int(item) if item.isdecimal() and len(item) < 10 else item  # noqa: PLR2004
        for item in _list(text)
    ]
