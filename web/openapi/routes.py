"""The routes of an application, each with what ``operations`` says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from flask import Flask
from werkzeug.routing import Rule

from web.auth import Guarded
from web.openapi.operations import OPERATIONS
from web.openapi.parts import Operation


class Undocumented(Exception):
    """A route of which ``operations`` says nothing."""


class Route(NamedTuple):
    """A method of a path.

    Attributes
    ----------
    path : str
        As OpenAPI writes it: parameters in braces.
    method : str
    parameters : tuple of str
        The names in the path.
    view : Guarded
    operation : Operation
    """

    path: str
    method: str
    parameters: tuple[str, ...]
    view: Guarded
    operation: Operation

    @property
    def problems(self) -> list[tuple[str, int | None]]:
        """Slugs, and statuses where they are not the usual: from the route and its operation."""
        found: list[tuple[str, int | None]] = [
            (problem, None) if isinstance(problem, str) else problem
            for problem in self.operation.problems
        ]
        if not self.view.is_open:
            found += [("unauthorized", None), ("forbidden", None), ("unavailable", None)]
        if self.view.scope == "submit":
            found.append(("rate-limited", None))
        if "job_id" in self.parameters:
            found += [("not-found", None), ("gone", None)]
        return list(dict.fromkeys(found))

    @property
    def types(self) -> Iterator[Any]:
        """The types of what it takes and answers."""
        if self.operation.body is not None:
            yield from self.operation.body.content.values()
        if self.operation.query is not None:
            yield self.operation.query
        yield from (one.body for one in self.operation.answers.values() if one.body is not None)


def routes_of(app: Flask) -> list[Route]:
    """Return the routes in the order of their paths, those of pages for people left out.

    Raises
    ------
    Undocumented
    """
    rules = (rule for rule in app.url_map.iter_rules() if not _is_page(app, rule))
    found = [route for rule in rules for route in _routes(app, rule)]
    return sorted(found, key=lambda route: (route.path, route.method))


def _is_page(app: Flask, rule: Rule) -> bool:
    view = app.view_functions[rule.endpoint]
    return isinstance(view, Guarded) and view.is_page


def _routes(app: Flask, rule: Rule) -> Iterator[Route]:
    view = app.view_functions[rule.endpoint]
    operation = OPERATIONS.get(rule.endpoint)
    if operation is None or not isinstance(view, Guarded):
        raise Undocumented(f"web.openapi.operations says nothing of {rule.endpoint!r}")
    path = rule.rule.replace("<", "{").replace(">", "}")
    names = tuple(part.partition("}")[0] for part in path.split("{")[1:])
    # Flask adds these two to every route.
    for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
        yield Route(path, method, names, view, operation)
