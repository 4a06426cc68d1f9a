"""What views share: finding the job that a path names, and JSON as an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flask import Response

from web.ports import JobStore
from web.principal import principal
from worker.jobs.errors import UnknownJob
from worker.jobs.job import Job, JobRef, is_job_id

# Seconds between polls.
RETRY_AFTER_S = "1"


def ref_of(job_id: str) -> JobRef:
    """Return the reference of the job that a path names.

    Raises
    ------
    UnknownJob
        If no job can have this id.
    """
    if not is_job_id(job_id):
        raise UnknownJob
    return principal().ref(job_id)


def find_job(store: JobStore, job_id: str) -> Job:
    """Return the job that a path names, if it is the principal's.

    Raises
    ------
    UnknownJob, ErasedJob
    """
    return store.get(ref_of(job_id))


def as_json(body: Mapping[str, object]) -> bytes:
    """Write a body, compactly and always in the same way."""
    return json.dumps(body, separators=(",", ":")).encode()


def json_answer(body: bytes | Mapping[str, object], *, status: int = 200) -> Response:
    """Make an answer of JSON."""
    data = body if isinstance(body, bytes) else as_json(body)
    return Response(data, status=status, content_type="application/json")
