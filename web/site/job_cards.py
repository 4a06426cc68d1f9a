"""Jobs as cards in a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from web.ports import JobStore
from web.site.job_page import class_name, name_of
from web.site.words import STATUSES, ago, moment, number
from worker.jobs.errors import ErasedJob, UnknownJob
from worker.jobs.job import Job


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """A job in a list.

    Attributes
    ----------
    title : str
        The first explained class, or the file's name until there is one.
    classes : tuple of (int, str)
        Index and name of each class that was explained.
    """

    id: str
    title: str
    name: str
    status: str
    status_name: str
    score: str | None
    model: str
    version: int | None
    preset: str
    created: str
    created_ago: str
    sha256: str
    classes: tuple[tuple[int, str], ...]


def with_results(jobs: Iterable[Job], store: JobStore) -> Iterator[Job]:
    """Read the results of the jobs of a list, which come without. What is gone is left out."""
    for job in jobs:
        if job.status != "succeeded":
            yield job
            continue
        try:
            yield store.get(job.ref)
        except (UnknownJob, ErasedJob):
            continue


def card(job: Job, *, now: float) -> Card:
    """Show a job."""
    result: Mapping[str, Any] = job.result or {}
    explained = result.get("explanations", ())
    first = explained[0] if explained else None
    return Card(
        id=job.ref.id,
        title=name_of(job) if first is None else class_name(first),
        name=name_of(job),
        status=job.status,
        status_name=STATUSES[job.status],
        score=None if first is None else number(first["score"]),
        model=job.request.model,
        version=result.get("model", {}).get("version", job.request.version),
        preset=job.request.preset,
        created=moment(job.created_at),
        created_ago=ago(job.created_at, now=now),
        sha256=job.image.sha256,
        classes=tuple((one["class_index"], class_name(one)) for one in explained),
    )
