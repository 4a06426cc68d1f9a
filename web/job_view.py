"""A job and a model as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, overload

from web.documents import Model
from web.job_documents import (
    Explanation,
    Failure,
    Job,
    JobLinks,
    JobModel,
    JobSummary,
    Samples,
    Segments,
    Timings,
)
from web.paths import job_path, model_path, problem_path, webhook_path
from web.problems import PROBLEMS
from worker.jobs import job as jobs
from worker.jobs.catalogue import ModelEntry


def job_view(job: jobs.Job, *, prefix: str) -> Job:
    """Show a job: what is not computed yet is null, and only what exists is linked to.

    Parameters
    ----------
    job : Job
    prefix : str
        What all paths begin with.
    """
    result: Mapping[str, Any] = job.result or {}
    request = job.request
    return {
        "id": job.ref.id,
        "status": job.status,
        "created_at": timestamp(job.created_at),
        "started_at": timestamp(job.started_at),
        "finished_at": timestamp(job.finished_at),
        "expires_at": timestamp(job.expires_at),
        "model": _model(job),
        "progress": {
            "stage": job.progress.stage,
            "samples_done": job.progress.samples_done,
            "samples_limit": job.progress.samples_limit,
        },
        "attempts": job.attempts,
        "waiting_for": job.waiting_for or None,
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
        "explanations": _explanations(job, prefix),
        "samples": result.get("samples") or _samples_to_come(request.options),
        "segments": _segments(result),
        "options": result.get("options") or dict(request.options),
        "timings": _timings(result.get("timings", {})),
        "error": None if job.error is None else _failure(job, job.error, prefix),
        "links": _links(job, prefix),
    }


def job_summary(job: jobs.Job, *, prefix: str) -> JobSummary:
    """Show a job in a list: some members of what ``job_view`` shows."""
    shown = job_view(job, prefix=prefix)
    return {
        "id": shown["id"],
        "status": shown["status"],
        "created_at": shown["created_at"],
        "started_at": shown["started_at"],
        "finished_at": shown["finished_at"],
        "expires_at": shown["expires_at"],
        # Which version explained the image stands in the result, and that was not read.
        "model": {"name": job.request.model},
        "progress": shown["progress"],
        "attempts": shown["attempts"],
        "metadata": shown["metadata"],
        "image": shown["image"],
        "error": shown["error"],
        "links": shown["links"],
    }


@overload
def timestamp(seconds: float) -> str: ...


@overload
def timestamp(seconds: None) -> None: ...


def timestamp(seconds: float | None) -> str | None:
    """Unix seconds as RFC 3339 in UTC, to the millisecond."""
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def model_view(entry: ModelEntry, *, with_labels: bool, prefix: str) -> Model:
    """Show a model; its class names are many, so a list goes without them."""
    shown: Model = {
        "name": entry.name,
        "state": entry.state,
        "version": entry.version,
        "signature": entry.signature,
        "input_size": None if entry.input_size is None else list(entry.input_size),
        "channels": entry.channels,
        "dtype": entry.dtype,
        "class_count": entry.class_count,
        "problem": entry.problem,
        "warnings": list(entry.warnings),
        "seen_at": timestamp(entry.seen_at),
        "links": {"self": model_path(entry.name, prefix=prefix)},
    }
    if with_labels:
        shown["labels"] = None if entry.labels is None else list(entry.labels)
    return shown


def overlays_made(job: jobs.Job) -> dict[int, Mapping[str, str]]:
    """By class index, the styles that were drawn and the format of each."""
    explained = (job.result or {}).get("explanations", ())
    return {item["class_index"]: item["overlays"] for item in explained}


def _model(job: jobs.Job) -> JobModel:
    settled: JobModel | None = (job.result or {}).get("model")
    asked = job.request
    return settled or {"name": asked.model, "version": asked.version, "signature": None}


def _segments(result: Mapping[str, Any]) -> Segments:
    found: Segments | None = result.get("segments")
    return found or {"count": None, "sha256": None}


def _explanations(job: jobs.Job, prefix: str) -> list[Explanation] | None:
    if job.result is None:
        return None
    path = job_path(job.ref.id, prefix=prefix)
    return [_explanation(kept, path=path) for kept in job.result["explanations"]]


def _explanation(kept: Explanation, *, path: str) -> Explanation:
    """Show an explanation as it was kept, its pictures by their paths instead of formats."""
    pictures = {
        style: f"{path}/overlays/{kept['class_index']}/{style}.{extension}"
        for style, extension in kept["overlays"].items()
    }
    return {**kept, "overlays": pictures}


def _samples_to_come(options: Mapping[str, Any]) -> Samples:
    return {
        "used": None,
        "limit": options["samples"],
        "sampler": options["sampler"],
        "seed": options["seed"],
        "stopped_by": None,
        "images_scored": None,
        "model_calls": None,
    }


def _timings(seconds: Mapping[str, float]) -> Timings:
    return {
        "queued_s": seconds.get("queued_s"),
        "segment_s": seconds.get("segment_s"),
        "predict_s": seconds.get("predict_s"),
        "fit_s": seconds.get("fit_s"),
        "draw_s": seconds.get("draw_s"),
    }


def _failure(job: jobs.Job, failure: jobs.Failure, prefix: str) -> Failure:
    # A worker of another version may report a type that this process does not know yet.
    slug = failure.type if failure.type in PROBLEMS else "internal"
    kind = PROBLEMS[slug]
    return {
        "type": problem_path(slug, prefix=prefix),
        "title": kind.title,
        "status": kind.status,
        "detail": failure.detail,
        "instance": job_path(job.ref.id, prefix=prefix),
        "stage": failure.stage,
        "retryable": failure.retryable,
        "grpc_status": failure.grpc_status,
    }


def _links(job: jobs.Job, prefix: str) -> JobLinks:
    path = job_path(job.ref.id, prefix=prefix)
    links: JobLinks = {"self": path, "image": f"{path}/image"}
    if not job.is_terminal:
        links["cancel"] = f"{path}/cancel"
        links["events"] = f"{path}/events"
    if job.result is not None:
        links["attributions"] = f"{path}/attributions.json"
        links["segments"] = f"{path}/segments.png"
        links["evidence"] = f"{path}/evidence.zip"
    if job.request.webhook is not None:
        links["webhook"] = webhook_path(job.ref.id, prefix=prefix)
    return links
