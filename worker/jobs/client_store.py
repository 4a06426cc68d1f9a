"""The job records as the clients' side uses them: create, read, list, cancel, erase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import redis

from worker.jobs.codec import decode, pairs, to_json
from worker.jobs.connection import store_errors
from worker.jobs.errors import ErasedJob, JobExists, StoreFull, UnknownJob
from worker.jobs.events import Event, read_event
from worker.jobs.job import SCHEMA_VERSION, Job, JobRef, JobRequest, QueueName, UploadedImage
from worker.jobs.keys import Keys
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
    ) -> Job:
        """Record a new job. Its blobs are stored before, its message is sent after.

        Parameters
        ----------
        deadline_s : float
            Seconds from now until which a worker must have started it.
        retention_s : int
            Seconds for which it is kept after it has ended.

        Raises
        ------
        StoreFull
            If Redis is nearly full.
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
            more_keys=[self._keys.unowned],
        )
        if outcome == b"full":
            raise StoreFull("Redis is nearly full, so new jobs are refused")
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

    def erase(self, ref: JobRef) -> None:
        """Remove a job and its events, and remember for 30 days that it existed."""
        self._run("erase", ref, TOMBSTONE_S, more_keys=[self._keys.tombstone(ref)])

    def _run(
        self, script: str, ref: JobRef, *arguments: Argument, more_keys: Sequence[str] = ()
    ) -> list[Any]:
        keys = [*self._keys.of_job(ref), *more_keys]
        return cast("list[Any]", self._scripts.run(script, keys, [str(ref), ref.id, *arguments]))

    def _raise_missing(self, ref: JobRef) -> None:
        with store_errors():
            erased = self._redis.exists(self._keys.tombstone(ref))
        raise (ErasedJob if erased else UnknownJob)(str(ref))
