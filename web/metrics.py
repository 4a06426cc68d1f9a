"""Metrics of the front end: its requests, and the answer to a scrape."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import cache
from typing import cast
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Blueprint, Flask, Response, g, request
from prometheus_client import CollectorRegistry, Histogram, make_wsgi_app
from prometheus_client.exposition import choose_encoder

from web.auth import needs
from worker.telemetry.endpoint import Address

BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PATH = "/metrics"


class RequestMetrics:
    """Counts and times requests by method, route and status.

    The route is the rule that matched, not the path, and ``none`` where none did: so clients
    cannot make up label values.
    """

    def __init__(self) -> None:
        # It is read through its file, together with those of the other processes.
        self._seconds = Histogram(
            "limelight_http_request_duration_seconds",
            "Time from a request's headers to its answer. Event streams count until they begin.",
            ["method", "route", "status"],
            buckets=BUCKETS,
            registry=None,
        )
        # Looking a child up costs more than counting.
        self._of = cache(self._seconds.labels)

    def attend(self, app: Flask) -> None:
        """Watch this application. Is to come before all else, so that refusals count as well."""
        app.before_request(self._begin)
        app.after_request(self._end)

    def _begin(self) -> None:
        g.began = time.perf_counter()

    def _end(self, answer: Response) -> Response:
        rule = request.url_rule
        method = request.method if request.method in _METHODS else "other"
        seen = self._of(method, "none" if rule is None else rule.rule, str(answer.status_code))
        seen.observe(time.perf_counter() - g.began)
        return answer


def blueprint(registry: CollectorRegistry) -> Blueprint:
    """Make the route for scrapes with a key."""
    metrics = Blueprint("metrics", __name__)

    @metrics.get(_PATH)
    @needs("admin")
    def scrape() -> Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(registry), content_type=content_type)

    return metrics


def at_own_address(app: Flask, address: Address, registry: CollectorRegistry) -> None:
    """Answer what comes in at this address with metrics, without a key, and with nothing else."""
    everything_else, scraped = app.wsgi_app, make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["SERVER_PORT"] != str(address.port):
            return everything_else(environ, start_response)
        if environ["PATH_INFO"] != _PATH:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"Here are metrics alone, at /metrics.\n"]
        return cast("Iterable[bytes]", scraped(environ, start_response))

    app.wsgi_app = answer  # type: ignore[method-assign]
