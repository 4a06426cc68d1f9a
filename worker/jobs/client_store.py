"""The job records as the clients' side uses them: create, read, list, cancel, erase."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, cast

import redis

from worker.jobs.codec import decode, pairs, to_json
from worker.jobs.connection import store_errors
from worker.jobs.errors import ErasedJob, JobEnded, JobExists, QueueFull, StoreFull, UnknownJob
from worker.jobs.events import Event, read_event
from worker.jobs.job import (
    SCHEMA_VERSION,
    Job,
    JobRef,
    JobRequest,
    QueueName,
    Status,
    UploadedImage,
)
from worker.jobs.keys import Keys
from worker.jobs.listing import Page, Position, read_page
from worker.jobs.scripts import Argument, Scripts

# New jobs are refused from this share of maxmemory on.
NEARLY_FULL = 0.8
# How long whoever created a job has to publish it before the sweeper does.
PUBLISH_GRACE_S = 5.0
# A message may have been lost: it is repeated after this time, and then ever more seldom.
REPUBLISH_S = 30.0
REPUBLISH_AT_MOST_S = 900.0
TOMBSTONE_S = 30 * 86_400


class ClientStore:
    """Jobs in Redis, as their owner may handle them.

    Every method raises ``StoreUnavailable`` when Redis cannot be reached.

    Parameters
    ----------
    client : redis.Redis
        From ``connect``: answers are bytes.
    prefix : str
        Start of every key.
    republish_s : float
        Seconds until a message that nobody acted on is sent again.
    """

    def __init__(
        self, client: redis.Redis, *, prefix: str = "limelight", republish_s: float = REPUBLISH_S
    ) -> None:
        self._redis = client
        self._keys = Keys(prefix)
        self._scripts = Scripts(client)
        self._republish_s = republish_s

    def create(
        self,
        *,
        ref: JobRef,
        queue: QueueName,
        request: JobRequest,
        image: UploadedImage,
        deadline_s: float,
        retention_s: int,
        queue_limit: int | None = None,
        traceparent: str | None = None,
    ) -> Job:
        """Record a new job. Its blobs are stored before, its message is sent after.

        Parameters
        ----------
        deadline_s : float
            Seconds from now until which a worker must have started it.
        retention_s : int
            Seconds for which it is kept after it has ended.
        queue_limit : int or None
            Most jobs of the tenant that have not ended, this one included.
        traceparent : str or None
            The trace that it belongs to.

        Raises
        ------
        StoreFull
            If Redis is nearly full.
        QueueFull
            If the tenant has as many open jobs as it may.
        JobExists
            If another job has this reference.
        """
        outcome, *rest = self._run(
            "create",
            ref,
            PUBLISH_GRACE_S,
            NEARLY_FULL,
            queue,
            to_json(request),
            to_json(image),
            deadline_s,
            retention_s,
            SCHEMA_VERSION,
            ref.tenant,
            "" if queue_limit is None else queue_limit,
            traceparent or "",
            more_keys=[self._keys.unowned],
        )
        if outcome == b"full":
            raise StoreFull("Redis is nearly full, so new jobs are refused")
        if outcome == b"queue-full":
            raise QueueFull(f"{ref.tenant} has {queue_limit} jobs that have not ended")
        if outcome == b"exists":
            raise JobExists(str(ref))
        return decode(ref, pairs(rest[0]))

    def get(self, ref: JobRef) -> Job:
        """Read a job: one round trip.

        Raises
        ------
        UnknownJob, ErasedJob
        """
        with store_errors():
            record = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.job(ref)))
        if not record:
            self._raise_missing(ref)
        return decode(ref, record)

    def mark_published(self, ref: JobRef) -> None:
        """Note that a message for this job was sent. A job that is in hands or has ended stays."""
        self._run("mark_published", ref, self._republish_s, REPUBLISH_AT_MOST_S)

    def events(self, ref: JobRef, *, after: str = "0") -> list[Event]:
        """Read what happened to a job after the event with this id, oldest first.

        The stream keeps the latest 200 events.
        """
        with store_errors():
            found = cast(
                "list[tuple[bytes, dict[bytes, bytes]]]",
                self._redis.xrange(self._keys.events(ref), min=f"({after}"),
            )
        return [read_event(event_id, fields) for event_id, fields in found]

    def news(self, after: Mapping[JobRef, str]) -> dict[JobRef, list[Event] | None]:
        """Read what happened to each of several jobs after an event: one round trip.

        Parameters
        ----------
        after : mapping of JobRef to str
            The id of the latest event that is known.

        Returns
        -------
        dict
            The jobs with news; None for one that is no longer there.
        """
        refs = {self._keys.events(ref): ref for ref in after}
        with store_errors(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.xread({key: after[ref] for key, ref in refs.items()})
            for key in refs:
                pipeline.exists(key)
            found, *exist = pipeline.execute()
        news: dict[JobRef, list[Event] | None] = {
            ref: None for ref, there in zip(refs.values(), exist, strict=True) if not there
        }
        for key, entries in found:
            news[refs[key.decode()]] = [read_event(*entry) for entry in entries]
        return news

    def page(
        self,
        tenant: str,
        *,
        status: Status | None = None,
        model: str | None = None,
        limit: int,
        after: Position | None = None,
    ) -> Page:
        """Read a tenant's jobs, newest first, without their results."""
        return read_page(
            self._redis, self._keys, tenant, status=status, model=model, limit=limit, after=after
        )

    def request_cancel(self, ref: JobRef) -> Job:
        """Cancel a job that nobody works on, or have its worker stop at the next batch.

        Returns
        -------
        Job
            As it is now: canceled, or still processing with ``cancel_requested``.

        Raises
        ------
        JobEnded
            If there is nothing left to cancel.
        UnknownJob, ErasedJob
        """
        outcome, *rest = self._run("request_cancel", ref, secrets.token_hex(8))
        if outcome == b"missing":
            self._raise_missing(ref)
        if outcome == b"ended":
            raise JobEnded(str(ref))
        return decode(ref, pairs(rest[0]))

    def discard(self, ref: JobRef) -> None:
        """Begin to erase a job before its time, whatever its status; ``erase`` is to follow.

        Were it not to follow, the sweeper erases the job. A worker that has the job can no longer
        write to its record.

        Raises
        ------
        UnknownJob, ErasedJob
        """
        if self._run("discard", ref)[0] == b"missing":
            self._raise_missing(ref)

    def erase(self, ref: JobRef, *, blobs_may_follow: bool = False) -> None:
        """Remove a job and its events, and remember for 30 days that it existed.

        Parameters
        ----------
        blobs_may_follow : bool
            Whether a worker may be storing pictures at this moment: they are looked for later.
        """
        self._run(
            "erase",
            ref,
            TOMBSTONE_S,
            int(blobs_may_follow),
            more_keys=[self._keys.tombstone(ref), self._keys.unowned],
        )

    def _run(
        self, script: str, ref: JobRef, *arguments: Argument, more_keys: Sequence[str] = ()
    ) -> list[Any]:
        keys = [*self._keys.of_job(ref), *more_keys]
        return cast("list[Any]", self._scripts.run(script, keys, [str(ref), ref.id, *arguments]))

    def _raise_missing(self, ref: JobRef) -> None:
        with store_errors():
            erased = self._redis.exists(self._keys.tombstone(ref))
        raise (ErasedJob if erased else UnknownJob)(str(ref))
