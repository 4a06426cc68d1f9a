"""How often a tenant may ask for something to be made or changed.

Counted in Redis, over all processes; while that is away, in the memory of each. Reading is not
counted: a poll costs less than the counting would.
"""

from __future__ import annotations

import time
from typing import Any

import redis
import structlog
from flask import Flask, Response, current_app, request
from flask_limiter import Limiter

from web.auth import Guarded
from web.cors import is_preflight
from web.principal import principal
from worker.jobs.tenants import Tenants

_log = structlog.get_logger("web.limits")


class RateLimits:
    """The rate limits of all tenants.

    Parameters
    ----------
    tenants : Tenants
    client : redis.Redis or None
        Whose connections to use. None counts in memory alone.
    """

    def __init__(self, tenants: Tenants, client: redis.Redis | None) -> None:
        self._limiter = Limiter(
            key_func=lambda: principal().tenant,
            # Of the application, not of each route: all that a tenant asks for counts together.
            application_limits=[lambda: tenants.of(principal().tenant).rate_limit],
            # A fixed window lets twice the rate pass at its border; a log of all requests, which
            # would be exact, takes memory by the request.
            strategy="sliding-window-counter",
            storage_uri="memory://" if client is None else "redis://",
            storage_options=_storage_options(client),
            in_memory_fallback_enabled=True,
            # The extension's own would put Retry-After on answers to requests that were served.
            headers_enabled=False,
        )
        # A filter rather than an exemption: it is asked first, and polls are many.
        self._limiter.request_filter(lambda: not _counts())

    def attend(self, app: Flask) -> None:
        """Count this application's requests, once it is known who makes them."""
        self._limiter.init_app(app)
        app.after_request(self._show)

    def _show(self, response: Response) -> Response:
        """Say what is left of the tightest limit; the reset is in seconds from now."""
        found = self._limiter.current_limit
        if found is None:
            return response
        try:
            reset_at, remaining = found.window
        except redis.RedisError as error:
            _log.info("the rate limit cannot be shown", error=type(error).__name__)
            return response
        reset_s = max(1, int(reset_at - time.time()) + 1)
        response.headers["RateLimit-Limit"] = str(found.limit.amount)
        response.headers["RateLimit-Remaining"] = str(max(0, remaining))
        response.headers["RateLimit-Reset"] = str(reset_s)
        if found.breached:
            response.headers["Retry-After"] = str(reset_s)
        return response


def _counts() -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    return isinstance(view, Guarded) and view.scope == "submit" and not is_preflight()


def _storage_options(client: redis.Redis | None) -> dict[str, Any]:
    if client is None:
        return {}
    return {"connection_pool": client.connection_pool, "key_prefix": "limelight::limits"}
