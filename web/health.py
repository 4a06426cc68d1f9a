"""Health, at the paths of the Open Inference Protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from flask import Blueprint, Response

from web.auth import open_to_all
from web.documents import Live, Ready
from web.errors import NotReady
from web.job_view import timestamp
from web.model_index import ModelIndex
from web.ports import Catalogue
from worker.jobs.condition import Condition
from worker.jobs.errors import StoreRefuses

# A worker tells of itself every ten seconds unless set otherwise; three times missed is silence.
SILENT_S = 30.0
# How long a job may wait before that is worth a word.
LONG_WAIT_S = 60.0


def blueprint(
    catalogue: Catalogue, *, models: ModelIndex, condition: Callable[[], Condition]
) -> Blueprint:
    """Make the routes.

    Parameters
    ----------
    catalogue : Catalogue
        Knows which workers there are.
    models : ModelIndex
    condition : callable
        Reads the condition of Redis and of the queues.
    """
    health = Blueprint("health", __name__)

    @health.get("/v2/health/live")
    @open_to_all
    def live() -> Response:
        shown: Live = {"live": True}
        return _answer(shown)

    @health.get("/v2/health/ready")
    @open_to_all
    def ready() -> Response:
        """Jobs can be accepted: Redis takes writes, knows a model. What else is wrong is said."""
        try:
            now = condition()
        except StoreRefuses as error:
            raise NotReady(error.problem) from error
        if now.refusal is not None:
            raise NotReady(now.refusal)
        models.known()
        seen = catalogue.workers()
        shown: Ready = {
            "ready": True,
            "problems": [*now.problems, *_problems(now, seen)],
            "queues": {
                name: {"depth": backlog.depth, "oldest_s": round(backlog.oldest_s, 1)}
                for name, backlog in now.backlogs.items()
            },
            "workers": [
                {"name": name, "seen_at": timestamp(at)} for name, at in sorted(seen.items())
            ],
        }
        return _answer(shown)

    return health


def _problems(now: Condition, seen: Mapping[str, float]) -> Iterator[str]:
    if not any(now.at - at < SILENT_S for at in seen.values()):
        yield f"No worker has been heard from for {SILENT_S:.0f} s: jobs wait until one is started"
    for name, backlog in now.backlogs.items():
        if backlog.oldest_s > LONG_WAIT_S:
            yield f"The oldest queued job of {name!r} is {backlog.oldest_s:.0f} s old: add workers"


def _answer(body: Mapping[str, object]) -> Response:
    answer = Response(json.dumps(body), content_type="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
