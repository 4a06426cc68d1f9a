"""Health, at the paths of the Open Inference Protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flask import Blueprint, Response

from web.auth import open_to_all
from web.documents import Live, Ready
from web.job_view import timestamp
from web.ports import Catalogue


def blueprint(catalogue: Catalogue) -> Blueprint:
    """Make the routes."""
    health = Blueprint("health", __name__)

    @health.get("/v2/health/live")
    @open_to_all
    def live() -> Response:
        shown: Live = {"live": True}
        return _answer(shown)

    @health.get("/v2/health/ready")
    @open_to_all
    def ready() -> Response:
        """Redis answers. Workers are shown; that none is there is no reason to refuse jobs."""
        seen = catalogue.workers()
        shown: Ready = {
            "ready": True,
            "workers": [
                {"name": name, "seen_at": timestamp(at)} for name, at in sorted(seen.items())
            ],
        }
        return _answer(shown)

    return health


def _answer(body: Mapping[str, object]) -> Response:
    answer = Response(json.dumps(body), content_type="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
