"""What web adds to its logs: gunicorn's own lines, and the request in which a line arose."""

from __future__ import annotations

import logging
from typing import Any

import structlog
from flask import g, has_request_context, request
from gunicorn.glogging import Logger

from web.tracing import request_trace
from worker.jobs.job import is_job_id


def add_request(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Add whose request is served and which trace it belongs to.

    A processor, so that a request that has nothing to log costs nothing.
    """
    if not has_request_context():
        return event
    event.setdefault("trace_id", request_trace().trace_id)
    event.setdefault("client", request.remote_addr)
    if "principal" in g:
        event.setdefault("tenant", g.principal.tenant)
    job = (request.view_args or {}).get("job_id")
    if job is not None and is_job_id(job):
        event.setdefault("job", job)
    return event


class ServerLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types.
    """gunicorn's logger without handlers of its own, so that its lines go where ours go."""

    def setup(self, cfg: Any) -> None:
        """Let gunicorn's two loggers hand their records up."""
        self.loglevel = logging.getLogger().level
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True
        # One line for each request would cost more than many a request.
        self.access_log.setLevel(logging.WARNING)
