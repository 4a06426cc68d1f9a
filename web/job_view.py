"""A job and a model as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from web.problems import PROBLEMS, type_uri
from worker.jobs.catalogue import ModelEntry
from worker.jobs.job import Failure, Job

_SUMMARY = (
    "id", "status", "created_at", "started_at", "finished_at", "expires_at", "model", "progress",
    "attempts", "metadata", "image", "error", "links",
)  # fmt: skip
_TIMINGS = ("queued_s", "segment_s", "predict_s", "fit_s", "draw_s")


def job_path(job_id: str) -> str:
    """Path of a job."""
    return f"/v1/explanations/{job_id}"


def job_view(job: Job) -> dict[str, Any]:
    """Show a job: what is not computed yet is null, and only what exists is linked to."""
    result: Mapping[str, Any] = job.result or {}
    request = job.request
    return {
        "id": job.ref.id,
        "status": job.status,
        "created_at": timestamp(job.created_at),
        "started_at": timestamp(job.started_at),
        "finished_at": timestamp(job.finished_at),
        "expires_at": timestamp(job.expires_at),
        "model": result.get("model")
        or {"name": request.model, "version": request.version, "signature": None},
        "progress": {
            "stage": job.progress.stage,
            "samples_done": job.progress.samples_done,
            "samples_limit": job.progress.samples_limit,
        },
        "attempts": job.attempts,
        "computed_by": job.computed_by,
        "metadata": dict(request.metadata),
        "image": {
            "sha256": job.image.sha256,
            "width": job.image.width,
            "height": job.image.height,
        },
        "warnings": list(result.get("warnings", ())),
        "hidden_score": result.get("hidden_score"),
        "predictions": result.get("predictions"),
        "explanations": _explanations(job),
        "samples": result.get("samples") or _samples_to_come(request.options),
        "segments": result.get("segments") or {"count": None, "sha256": None},
        "options": result.get("options") or dict(request.options),
        "timings": dict.fromkeys(_TIMINGS) | dict(result.get("timings", {})),
        "error": None if job.error is None else _failure(job.error, instance=job_path(job.ref.id)),
        "links": _links(job),
    }


def job_summary(job: Job) -> dict[str, Any]:
    """Show a job in a list: some members of what ``job_view`` shows."""
    shown = job_view(job)
    # Which version explained the image stands in the result, and that was not read.
    return {name: shown[name] for name in _SUMMARY} | {"model": {"name": job.request.model}}


def timestamp(seconds: float | None) -> str | None:
    """Unix seconds as RFC 3339 in UTC, to the millisecond."""
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def model_view(entry: ModelEntry, *, with_labels: bool) -> dict[str, Any]:
    """Show a model; its class names are many, so a list goes without them."""
    shown: dict[str, Any] = {
        "name": entry.name,
        "state": entry.state,
        "version": entry.version,
        "signature": entry.signature,
        "input_size": None if entry.input_size is None else list(entry.input_size),
        "channels": entry.channels,
        "dtype": entry.dtype,
        "class_count": entry.class_count,
        "problem": entry.problem,
        "seen_at": timestamp(entry.seen_at),
        "links": {"self": f"/v1/models/{entry.name}"},
    }
    if with_labels:
        shown["labels"] = None if entry.labels is None else list(entry.labels)
    return shown


def overlays_made(job: Job) -> dict[int, Mapping[str, str]]:
    """By class index, the styles that were drawn and the format of each."""
    explained = (job.result or {}).get("explanations", ())
    return {item["class_index"]: item["overlays"] for item in explained}


def _explanations(job: Job) -> list[dict[str, Any]] | None:
    if job.result is None:
        return None
    return [
        {
            **item,
            "overlays": {
                style: f"{job_path(job.ref.id)}/overlays/{item['class_index']}/{style}.{extension}"
                for style, extension in item["overlays"].items()
            },
        }
        for item in job.result["explanations"]
    ]


def _samples_to_come(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "used": None,
        "limit": options["samples"],
        "sampler": options["sampler"],
        "seed": options["seed"],
        "images_scored": None,
        "model_calls": None,
    }


def _failure(failure: Failure, *, instance: str) -> dict[str, Any]:
    # A worker of another version may report a type that this process does not know yet.
    slug = failure.type if failure.type in PROBLEMS else "internal"
    kind = PROBLEMS[slug]
    return {
        "type": type_uri(slug),
        "title": kind.title,
        "status": kind.status,
        "detail": failure.detail,
        "instance": instance,
        "stage": failure.stage,
        "retryable": failure.retryable,
        "grpc_status": failure.grpc_status,
    }


def _links(job: Job) -> dict[str, str]:
    path = job_path(job.ref.id)
    links = {"self": path, "image": f"{path}/image"}
    if not job.is_terminal:
        links |= {"cancel": f"{path}/cancel", "events": f"{path}/events"}
    if job.result is not None:
        links["attributions"] = f"{path}/attributions.json"
        links["segments"] = f"{path}/segments.png"
    return links
