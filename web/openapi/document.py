"""Makes the document of an application's routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask

from web.documents import Problem
from web.doorkeeper import KEY_HEADER
from web.openapi.operations import OPERATIONS
from web.openapi.paths import show
from web.openapi.routes import routes_of
from web.openapi.schemas import Schemas
from web.openapi.webhook_requests import webhook_requests
from web.sessions import COOKIE, CSRF_HEADER
from web.shares import PARAMETER
from web.webhook_documents import WebhookBody

_ABOUT = (
    "Explains which parts of an image made a classifier decide as it did. Answers are JSON, times "
    "RFC 3339 in UTC, errors problem details (RFC 9457) whose `type` is a page that says what to "
    "do. Beyond the answers listed with each operation, any request may be answered by 400 (it "
    "cannot be read), 405 (the path has no such method), 500 (a fault of ours) or 503 (try again)."
)


def build(app: Flask, *, version: str, prefix: str = "") -> dict[str, Any]:
    """Make the document.

    Parameters
    ----------
    app : Flask
        Every route of which gets its place.
    version : str
        Of Limelight.
    prefix : str
        What stands before all paths, where a proxy publishes the service below one.

    Raises
    ------
    Undocumented
        If nothing is said of a route.
    """
    routes = routes_of(app)
    schemas = Schemas([Problem, WebhookBody, *(kind for route in routes for kind in route.types)])
    takers = {route.operation.id: route for route in routes}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        leads_to = [takers[name] for name in route.operation.leads_to]
        methods = paths.setdefault(route.path, {})
        methods[route.method.lower()] = show(route, schemas, leads_to=leads_to, prefix=prefix)
    tags = dict.fromkeys(operation.tag for operation in OPERATIONS.values())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Limelight",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": prefix or "/"}],
        "tags": [{"name": tag} for tag in tags],
        "paths": paths,
        "webhooks": webhook_requests(schemas),
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "securitySchemes": _security_schemes(),
        },
    }


def _security_schemes() -> Mapping[str, Any]:
    return {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key (`ll_...`); the operator makes it with "
            "`limelight keys create`. While there are none at all, none is needed.",
        },
        "own_header": {
            "type": "apiKey",
            "in": "header",
            "name": KEY_HEADER,
            "description": "The same key, where Authorization belongs to a proxy before the "
            "service. If both are sent, this one counts.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": COOKIE,
            "description": "From POST /session, for browsers. Whatever changes something needs "
            f"the session's token in the header {CSRF_HEADER} as well.",
        },
        "share": {
            "type": "apiKey",
            "in": "query",
            "name": PARAMETER,
            "description": "The token of a share link: shows one job and its pictures.",
        },
    }
