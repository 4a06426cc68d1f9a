"""The body of a webhook: what happened, in brief. Whoever wants more follows the links.

It is built anew for each try and is the same each time: an event tells of a moment, so it holds
only what had been settled by then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from worker.jobs.job import Failure, Job, Status

MAX_BYTES = 20_000
# What goes, in this order, if all of it is too much. The client finds it by the link.
_DISPENSABLE = ("explanations", "metadata")


def build(job: Job, *, status: Status, at: float, prefix: str = "") -> str:
    """Return the body of an event, compact JSON of less than ``MAX_BYTES`` in UTF-8.

    Parameters
    ----------
    job : Job
        As it is now, which may be later than the event.
    status : str
        The status that the event tells of.
    at : float
        When it happened, Unix seconds.
    prefix : str
        What the paths begin with, where the service is published below a path.
    """
    data = _data(job, status, prefix)
    left_out: list[str] = []
    for name in (None, *_DISPENSABLE):
        if name is not None and data[name]:
            left_out.append(name)
            data = {**data, name: None, "left_out": left_out}
        body = _compact(
            {"type": f"explanation.{status}", "timestamp": _timestamp(at), "data": data}
        )
        if len(body.encode()) < MAX_BYTES:
            return body
    raise ValueError(f"the event of {job.ref} is too large without anything that could go")


def _data(job: Job, status: Status, prefix: str) -> dict[str, Any]:
    ended = status == job.status and job.is_terminal
    result: Mapping[str, Any] = (job.result or {}) if ended else {}
    path = f"{prefix}/v1/explanations/{job.ref.id}"
    return {
        "id": job.ref.id,
        "status": status,
        "model": result.get("model")
        or {"name": job.request.model, "version": job.request.version, "signature": None},
        "metadata": dict(job.request.metadata),
        "explanations": [_brief(explanation) for explanation in result["explanations"]]
        if "explanations" in result
        else None,
        "error": _error(job.error, prefix) if ended and job.error is not None else None,
        "links": {"self": path},
    }


def _brief(explanation: Mapping[str, Any]) -> dict[str, Any]:
    names = ("class_index", "class_name", "score", "fidelity", "settled")
    return {name: explanation.get(name) for name in names}


def _error(failure: Failure, prefix: str) -> dict[str, Any]:
    return {
        "type": f"{prefix}/problems/{failure.type}",
        "title": failure.title,
        "detail": failure.detail,
        "stage": failure.stage,
        "retryable": failure.retryable,
        "grpc_status": failure.grpc_status,
    }


def _timestamp(seconds: float) -> str:
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _compact(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
