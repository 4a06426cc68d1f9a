"""The trace that a request belongs to: the client's, or one begun for it."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import cast

from flask import Flask, Response, g, request

from worker.telemetry import spans
from worker.telemetry.trace import HEADER, Trace


def request_trace() -> Trace:
    """Return this request's step in its trace; made when it is first asked for."""
    if "trace" not in g:
        g.trace, g.trace_parent = spans.continued(request.headers.get(HEADER))
    return cast("Trace", g.trace)


def attend(app: Flask) -> None:
    """Record a span of each request, where spans are exported; ``g.began`` says since when."""
    app.after_request(_record)


def _record(answer: Response) -> Response:
    if spans.is_recording():
        rule = request.url_rule
        route = "none" if rule is None else rule.rule
        spans.record(
            f"{request.method} {route}",
            trace=request_trace(),
            parent=g.trace_parent,
            seconds=time.perf_counter() - g.began,
            kind="server",
            attributes={
                "http.request.method": request.method,
                "http.route": route,
                "http.response.status_code": answer.status_code,
            },
            failed=answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR,
        )
    return answer
