"""Paths as clients are told them: below the prefix under which a proxy publishes the service."""

from __future__ import annotations

from flask import request


def path_prefix() -> str:
    """Return what stands before all paths of the current request: empty, or ``/explain``."""
    return request.script_root


def job_path(job_id: str, *, prefix: str) -> str:
    """Path of a job."""
    return f"{prefix}/v1/explanations/{job_id}"


def webhook_path(job_id: str, *, prefix: str) -> str:
    """Path of the delivery log of a job's webhook."""
    return f"{job_path(job_id, prefix=prefix)}/webhook"


def model_path(name: str, *, prefix: str) -> str:
    """Path of a model."""
    return f"{prefix}/v1/models/{name}"


def problem_path(slug: str, *, prefix: str) -> str:
    """Path that identifies a problem type and shows its page."""
    return f"{prefix}/problems/{slug}"


def job_page_path(job_id: str, *, prefix: str) -> str:
    """Path of the page of a job."""
    return f"{prefix}/explanations/{job_id}"
