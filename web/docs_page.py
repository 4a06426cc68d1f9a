"""The document as its page shows it: schemas told in words, operations by what they are about."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from markupsafe import Markup, escape

from web.openapi.schemas import PLAIN_DEFAULT, REFERENCE

_TICKED = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A field, a parameter or a header: its name, its type in words, what it means."""

    name: str
    kind: Markup
    description: str
    place: str = ""
    is_required: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """A body of a request or an answer: media type, type in words, examples by what they show.

    ``parts`` are the members of a body that is no component, as forms are.
    """

    media: str
    kind: Markup
    examples: Mapping[str, str]
    parts: list[Row]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """An answer."""

    status: str
    phrase: str
    description: str
    bodies: list[Carried]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """An operation; ``about`` is its object in the document."""

    id: str
    method: str
    path: str
    about: Mapping[str, Any]
    parameters: list[Row]
    bodies: list[Carried]
    answers: list[Answered]


class Page:
    """What the template goes through.

    Parameters
    ----------
    document : mapping
        The OpenAPI document.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.info = document["info"]
        self.security = document["components"]["securitySchemes"]
        self.tags: dict[str, list[Shown]] = {tag["name"]: [] for tag in document["tags"]}
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                self.tags[operation["tags"][0]].append(_shown(path, method, operation))
        requests = {event: methods["post"] for event, methods in document["webhooks"].items()}
        self.events = {event: request["summary"] for event, request in requests.items()}
        self.sent = _sent(requests)
        self.schemas = {
            name: (schema.get("description", ""), list(_fields(schema)))
            for name, schema in document["components"]["schemas"].items()
        }


def code(text: str) -> Markup:
    """Escape a text, and set apart what stands between backticks."""
    return Markup(_TICKED.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped.


def kind(schema: Mapping[str, Any]) -> Markup:
    """Tell a schema in words; a component by a link to it."""
    for name, tell in _TOLD_BY.items():
        if name in schema:
            return tell(schema[name])
    if schema.get("type") == "array":
        return Markup("list of {}").format(kind(schema.get("items", {})))
    return Markup("{}{}").format(_word(schema), _bounds(schema))


def _reference(reference: str) -> Markup:
    return Markup('<a href="#schema-{0}">{0}</a>').format(reference.removeprefix(REFERENCE))


def _ways(schemas: Sequence[Mapping[str, Any]]) -> Markup:
    return Markup(" or ").join(kind(way) for way in schemas)


def _values(values: Sequence[Any]) -> Markup:
    return Markup(", ").join(Markup("<code>{}</code>").format(value) for value in values)


def _members(schema: Any) -> Markup:
    # True or False only say whether there may be others than those that the table shows.
    return Markup("object") if isinstance(schema, bool) else Markup("object of ") + kind(schema)


_TOLD_BY: Mapping[str, Callable[[Any], Markup]] = MappingProxyType(
    {
        "$ref": _reference,
        "anyOf": _ways,
        "oneOf": _ways,
        "allOf": lambda schemas: kind(schemas[0]),
        "enum": _values,
        "const": lambda value: _values([json.dumps(value)]),
        "additionalProperties": _members,
    }
)


def _word(schema: Mapping[str, Any]) -> str:
    if schema.get("contentMediaType"):
        return "file"
    # Where there is no type, the media type beside it says all.
    return str(schema.get("format") or schema.get("type", ""))


def _bounds(schema: Mapping[str, Any]) -> str:
    words = {
        "minimum": "from {}",
        "exclusiveMinimum": "over {}",
        "maximum": "to {}",
        "exclusiveMaximum": "under {}",
    }
    told = [words[name].format(schema[name]) for name in words if name in schema]
    if "maxLength" in schema:
        least = f"{schema['minLength']} to " if "minLength" in schema else "at most "
        told.append(f"of {least}{schema['maxLength']} characters")
    elif "minLength" in schema:
        told.append(f"of at least {schema['minLength']} characters")
    return " ".join(["", *told])


def _fields(schema: Mapping[str, Any]) -> Iterator[Row]:
    for name, field in schema.get("properties", {}).items():
        told = field.get("description", "")
        if (default := field.get("default", field.get(PLAIN_DEFAULT))) is not None:
            told = f"{told} Default: `{json.dumps(default)}`.".lstrip()
        yield Row(
            name=name,
            kind=kind(field),
            description=told,
            is_required=name in schema.get("required", ()),
        )


def _shown(path: str, method: str, operation: Mapping[str, Any]) -> Shown:
    return Shown(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        about=operation,
        parameters=[
            Row(
                name=parameter["name"],
                kind=kind(parameter["schema"]),
                description=parameter["description"],
                place=parameter["in"],
                is_required=parameter.get("required", False),
            )
            for parameter in operation.get("parameters", ())
        ],
        bodies=_bodies(operation.get("requestBody", {})),
        answers=[
            Answered(
                status=status,
                # A range such as 2XX has none.
                phrase=HTTPStatus(int(status)).phrase if status.isdecimal() else "",
                description=answer["description"],
                bodies=_bodies(answer),
            )
            for status, answer in operation["responses"].items()
        ],
    )


def _sent(requests: Mapping[str, Mapping[str, Any]]) -> Shown:
    """Show the request of a webhook: they differ by their event alone, and one has an example."""
    shown = [_shown("", "post", {"operationId": "sent", **one}) for one in requests.values()]
    return next(one for one in shown if any(body.examples for body in one.bodies))


def _bodies(carrier: Mapping[str, Any]) -> list[Carried]:
    return [
        Carried(
            media=media,
            kind=kind(body["schema"]),
            examples=dict(_examples(body)),
            parts=list(_fields(body["schema"])),
        )
        for media, body in carrier.get("content", {}).items()
    ]


def _examples(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for example in body.get("examples", {}).values():
        yield example["summary"], _text(example["value"])
    if "example" in body:
        yield "Example", _text(body["example"])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2)
