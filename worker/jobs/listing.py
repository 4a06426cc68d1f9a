"""A tenant's jobs in pages, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, cast

import redis

from worker.jobs.codec import decode
from worker.jobs.connection import store_errors
from worker.jobs.job import TERMINAL, Job, JobRef, Status
from worker.jobs.keys import Keys

# Records looked at for one page. A filter that hardly anything passes ends a page early, with the
# place to go on from, rather than holding up whoever asked and Redis with them.
LOOKED_AT = 1000
_BATCH = 100

# All of a record but the result, which may be large and which a list does not show.
_FIELDS = (
    "status", "queue", "request", "image", "created_at", "deadline_at", "retention_s",
    "started_at", "finished_at", "expires_at", "fence", "attempts", "cancel_requested",
    "stage", "samples_done", "samples_limit", "error", "computed_by", "schema_version",
)  # fmt: skip


class Position(NamedTuple):
    """A place in the list: that of the job created at this Unix time, under this id."""

    created_at: float
    id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Jobs without their results, newest first.

    Attributes
    ----------
    jobs : tuple of Job
    next : Position or None
        What the next page comes after; None if this is the last one.
    """

    jobs: tuple[Job, ...]
    next: Position | None


def read_page(
    client: redis.Redis,
    keys: Keys,
    tenant: str,
    *,
    status: Status | None,
    model: str | None,
    limit: int,
    after: Position | None,
) -> Page:
    """Read one page; it may be short, even empty, although there is a next one.

    Raises
    ------
    StoreUnavailable
    """
    # Jobs that have not ended have an index of their own, which is short.
    is_open = status is not None and status not in TERMINAL
    index = keys.open(tenant) if is_open else keys.jobs(tenant)
    found: list[Job] = []
    looked_at = 0
    while True:
        places = _places(client, index, after=after, count=_BATCH)
        for job, place in zip(_records(client, keys, tenant, places), places, strict=True):
            after = place
            if job is not None and _fits(job, status=status, model=model):
                found.append(job)
                if len(found) == limit:
                    return Page(jobs=tuple(found), next=after)
        looked_at += len(places)
        if len(places) < _BATCH or looked_at >= LOOKED_AT:
            break
    return Page(jobs=tuple(found), next=after if len(places) == _BATCH else None)


def _fits(job: Job, *, status: Status | None, model: str | None) -> bool:
    return status in (None, job.status) and model in (None, job.request.model)


def _places(
    client: redis.Redis, index: str, *, after: Position | None, count: int
) -> list[Position]:
    """Return the next entries of the index. Those of one moment are in falling order of id."""
    newest: float | str = "+inf" if after is None else after.created_at
    with store_errors():
        entries = cast(
            "list[tuple[bytes, float]]",
            client.zrevrangebyscore(index, newest, "-inf", start=0, num=count + 1, withscores=True),
        )
    places = [Position(created_at, job_id.decode()) for job_id, created_at in entries]
    return [place for place in places if after is None or place < after][:count]


def _records(
    client: redis.Redis, keys: Keys, tenant: str, places: list[Position]
) -> Iterator[Job | None]:
    """Read a record for each place; None where it has been erased meanwhile."""
    refs = [JobRef(tenant, place.id) for place in places]
    with store_errors(), client.pipeline(transaction=False) as pipeline:
        for ref in refs:
            pipeline.hmget(keys.job(ref), _FIELDS)
        answers = pipeline.execute()
    for ref, values in zip(refs, answers, strict=True):
        record = {
            name.encode(): value
            for name, value in zip(_FIELDS, values, strict=True)
            if value is not None
        }
        yield decode(ref, record) if record else None
