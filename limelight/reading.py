"""Reading JSON documents into dataclasses: what is unknown is left, what is missing defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

from limelight.errors import BadAnswer

T = TypeVar("T")


def read(what: str, reader: Callable[[Mapping[str, Any]], T], document: Any) -> T:
    """Read a document; raises BadAnswer if it is not what it should be."""
    try:
        return reader(document)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise BadAnswer(f"The service did not answer with {what}: {error}.") from error


def known_fields(cls: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """Pick the fields that the class has; null counts as absent, so that its default holds."""
    names = {item.name for item in fields(cls)} - {"raw", "retry_after_s"}
    return {name: document[name] for name in names if document.get(name) is not None}


def plain(cls: type[T], document: Mapping[str, Any]) -> T:
    """Read a document whose values need no conversion."""
    return cls(**known_fields(cls, document))


def each(cls: type[T], documents: Any) -> tuple[T, ...]:
    """Read a list of such documents; null counts as empty."""
    return tuple(plain(cls, item) for item in documents or ())


def moment(text: str | None) -> datetime | None:
    """Read a time (RFC 3339)."""
    return None if text is None else datetime.fromisoformat(text)
