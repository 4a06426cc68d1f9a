"""Health, at the paths of the Open Inference Protocol."""

from __future__ import annotations

import json

from flask import Blueprint, Response

from web.auth import open_to_all
from web.job_view import timestamp
from web.ports import Catalogue


def blueprint(catalogue: Catalogue) -> Blueprint:
    """Make the routes."""
    health = Blueprint("health", __name__)

    @health.get("/v2/health/live")
    @open_to_all
    def live() -> Response:
        return _answer({"live": True})

    @health.get("/v2/health/ready")
    @open_to_all
    def ready() -> Response:
        """Redis answers. Workers are shown; that none is there is no reason to refuse jobs."""
        seen = catalogue.workers()
        workers = [{"name": name, "seen_at": timestamp(at)} for name, at in sorted(seen.items())]
        return _answer({"ready": True, "workers": workers})

    return health


def _answer(body: dict[str, object]) -> Response:
    answer = Response(json.dumps(body), content_type="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
