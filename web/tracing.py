"""The trace that a request belongs to: the client's, or one begun for it."""

from __future__ import annotations

from typing import cast

from flask import g, request

from worker.telemetry.trace import HEADER, Trace


def request_trace() -> Trace:
    """Return this request's step in its trace; made when it is first asked for."""
    if "trace" not in g:
        g.trace = (Trace.parse(request.headers.get(HEADER)) or Trace.new()).child()
    return cast("Trace", g.trace)
