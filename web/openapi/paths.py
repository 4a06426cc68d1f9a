"""A route as the document shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from web import sse
from web.documents import Problem
from web.openapi import headers
from web.openapi.parts import FORM, JSON, Answer, Body, Example
from web.openapi.routes import Route
from web.openapi.schemas import BINARY, REFERENCE, Schemas, form_schema
from web.paths import problem_path
from web.problems import MEDIA_TYPE, PROBLEMS
from web.schemas import JobFields

_TEXTS = frozenset({"application/openmetrics-text", "image/svg+xml"})
_COMES_BACK = frozenset({"rate-limited", "queue-full", "unavailable"})


def show(
    route: Route, schemas: Schemas, *, leads_to: Sequence[Route], prefix: str
) -> dict[str, Any]:
    """Return the operation object of a route.

    Parameters
    ----------
    route : Route
    schemas : Schemas
    leads_to : sequence of Route
        Those that take the id of the job which its first answer shows.
    prefix : str
        What the paths of problem types begin with.
    """
    operation = route.operation
    answers = {
        str(status): _answer(answer, schemas) for status, answer in operation.answers.items()
    }
    if leads_to:
        first = next(iter(answers.values()))
        first["links"] = {taker.operation.id: _link(taker) for taker in leads_to}
    shown: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "security": _security(route),
        "responses": {**answers, **_problems(route, prefix)},
    }
    if operation.description:
        shown["description"] = operation.description
    if parameters := _parameters(route, schemas):
        shown["parameters"] = parameters
    if operation.body is not None:
        shown["requestBody"] = _body(operation.body, schemas)
    if operation.commands:
        shown["x-codeSamples"] = [
            {"lang": "Shell", "label": command.summary, "source": command.value}
            for command in operation.commands
        ]
    return shown


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.view.is_open:
        return []
    scopes: list[str] = [] if route.view.scope is None else [route.view.scope]
    ways = ["key", "own_header", "session", *(["share"] if route.view.shared else [])]
    return [{way: scopes if way == "key" else []} for way in ways]


def _link(taker: Route) -> dict[str, Any]:
    return {
        "operationId": taker.operation.id,
        "parameters": {"job_id": "$response.body#/id"},
        "description": taker.operation.summary,
    }


def _parameters(route: Route, schemas: Schemas) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, **headers.PATH[name]}
        for name in route.parameters
    ]
    if route.operation.query is not None:
        model = schemas.components[route.operation.query.__name__]
        found += [_query_parameter(name, field) for name, field in model["properties"].items()]
    found += [
        {"name": name, "in": "header", **headers.REQUEST[name]} for name in route.operation.headers
    ]
    return found


def _query_parameter(name: str, field: Mapping[str, Any]) -> dict[str, Any]:
    schema = {key: value for key, value in field.items() if key != "description"}
    # A query has no null: what is not said is left out.
    ways = [way for way in schema.get("anyOf", ()) if way != {"type": "null"}]
    if len(ways) == 1:
        kept = {key: value for key, value in schema.items() if key != "anyOf" and value is not None}
        schema = kept | ways[0]
    return {
        "name": name,
        "in": "query",
        "schema": schema,
        "description": field.get("description", ""),
    }


def _body(body: Body, schemas: Schemas) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for media, model in body.content.items():
        if media == FORM:
            shown: dict[str, Any] = {
                "schema": form_schema(schemas.components[JobFields.__name__]),
                "encoding": {"request": {"contentType": JSON}},
            }
        else:
            shown = {"schema": dict(schemas.of(model))}
        if media == JSON and body.examples:
            shown["examples"] = {name: _example(one) for name, one in body.examples.items()}
        content[media] = shown
    return {"required": body.is_required, "content": content}


def _example(example: Example) -> dict[str, Any]:
    return {"summary": example.summary, "value": example.value}


def _answer(answer: Answer, schemas: Schemas) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if answer.body is not None:
        content[JSON] = {"schema": dict(schemas.of(answer.body))}
    content |= {media: {"schema": _text_or_bytes(media)} for media in answer.media}
    if answer.example is not None:
        next(iter(content.values()))["example"] = answer.example
    shown: dict[str, Any] = {"description": answer.description}
    if answer.headers:
        shown["headers"] = {name: headers.RESPONSE[name] for name in answer.headers}
    return shown | ({"content": content} if content else {})


def _text_or_bytes(media: str) -> dict[str, Any]:
    if media == sse.MEDIA_TYPE:
        return {}  # A stream of events has no JSON type: OpenAPI 3.1 says so by no schema.
    is_text = media.startswith("text/") or media in _TEXTS
    return {"type": "string"} if is_text else {**BINARY, "contentMediaType": media}


def _problems(route: Route, prefix: str) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for slug, status in route.problems:
        by_status.setdefault(status or PROBLEMS[slug].status, []).append(slug)
    return {str(status): _problem(slugs, prefix) for status, slugs in sorted(by_status.items())}


def _problem(slugs: Sequence[str], prefix: str) -> dict[str, Any]:
    told = "; ".join(f"`{slug}`: {_within(PROBLEMS[slug].title)}" for slug in slugs)
    named = {
        "properties": {"type": {"enum": [problem_path(slug, prefix=prefix) for slug in slugs]}}
    }
    shown: dict[str, Any] = {
        "description": f"{told[0].upper()}{told[1:]}.",
        "content": {
            MEDIA_TYPE: {"schema": {"allOf": [_reference(Problem), named]}},
        },
    }
    names = [
        *(["WWW-Authenticate"] if "unauthorized" in slugs else []),
        *(["Retry-After"] if _COMES_BACK.intersection(slugs) else []),
        *(headers.RATE_LIMIT if "rate-limited" in slugs else []),
    ]
    if names:
        shown["headers"] = {name: headers.RESPONSE[name] for name in names}
    return shown


def _reference(kind: type) -> dict[str, str]:
    return {"$ref": f"{REFERENCE}{kind.__name__}"}


def _within(title: str) -> str:
    """Write a title as a part of a sentence."""
    return title[0].lower() + title[1:]
