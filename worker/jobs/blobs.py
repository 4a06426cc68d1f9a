"""Images, pictures and arrays, as bytes by key. They never travel through the queue.

A key is a job's reference and a name: ``tenant/exp_…/upload/image``. What a job made belongs to
it, and to every job that retains it: the last owner that lets go takes the blobs along.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import cast

import redis

from worker.jobs.client_store import NEARLY_FULL
from worker.jobs.connection import store_errors
from worker.jobs.errors import BlobMissing, JobTooLarge, StoreFull
from worker.jobs.job import JobRef
from worker.jobs.keys import Keys
from worker.jobs.scripts import Scripts

MAX_JOB_BYTES_IN_REDIS = 32 * 2**20

# No part of a name begins with a dot, so none leads out of its job or looks like a hidden file.
_NAME = re.compile(r"^[a-z0-9_][a-z0-9._-]{0,99}(/[a-z0-9_][a-z0-9._-]{0,99}){0,4}\Z")


def split_key(key: str) -> tuple[JobRef, str]:
    """Split a key into the job that made the blob and the blob's name.

    Raises
    ------
    ValueError
        If it is no key; ``../`` is in none.
    """
    tenant, _, rest = key.partition("/")
    job_id, _, name = rest.partition("/")
    if not _NAME.match(name):
        raise ValueError(f"not a blob key: {key[:80]!r}")
    return JobRef.parse(f"{tenant}/{job_id}"), name


class Blobs(ABC):
    """Where bytes are kept. Every method raises ``StoreUnavailable`` when that cannot be reached.

    Who owns what is known to Redis, wherever the bytes are.
    """

    def __init__(self, client: redis.Redis, *, prefix: str) -> None:
        self._redis = client
        self._keys = Keys(prefix)
        self._scripts = Scripts(client)

    def put(self, key: str, data: bytes) -> None:
        """Store bytes; a reader sees all of them or none. What was there is replaced.

        Raises
        ------
        StoreFull
            If there is no room, or Redis is nearly full and this is a new job's first blob.
        JobTooLarge
            If one job would keep more than 32 MB in Redis.
        ValueError
            If it is no key.
        """
        ref, name = split_key(key)
        self._write(ref, name, data)

    def get(self, key: str) -> bytes:
        """Return the bytes.

        Raises
        ------
        BlobMissing
            If there are none, or it is no key.
        """
        try:
            ref, name = split_key(key)
        except ValueError as error:
            raise BlobMissing(key[:80]) from error
        data = self._read(ref, name)
        if data is None:
            raise BlobMissing(key)
        return data

    def retain(self, ref: JobRef, *, owner: JobRef) -> None:
        """Keep what the job ``ref`` made until ``owner`` releases it as well.

        Raises
        ------
        BlobMissing
            If its last owner has let it go.
        """
        answer = self._scripts.run("retain_blobs", [self._keys.owners(ref)], [str(owner)])
        if answer[0] == b"missing":
            raise BlobMissing(str(ref))

    def release(self, ref: JobRef, *, owner: JobRef) -> None:
        """Let one owner go, and erase what the job ``ref`` made if it was the last."""
        keys = [self._keys.owners(ref), self._keys.unowned]
        answer = self._scripts.run("release_blobs", keys, [str(owner), str(ref)])
        if answer[0] == b"unowned":
            self.erase(str(ref))

    def erase(self, prefix: str) -> None:
        """Erase all that a job made, whoever owns it.

        Parameters
        ----------
        prefix : str
            The job's reference as text, which is how all its keys begin.

        Raises
        ------
        ValueError
            If it is no reference.
        """
        ref = JobRef.parse(prefix)
        self._remove(ref)
        # The bytes go first: if this process ends in between, they are found and erased again.
        # No transaction: Redis at its memory limit queues nothing for one, not even this.
        with store_errors(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.delete(self._keys.owners(ref))
            pipeline.zrem(self._keys.unowned, str(ref))
            pipeline.execute()

    @abstractmethod
    def _write(self, ref: JobRef, name: str, data: bytes) -> None: ...
    @abstractmethod
    def _read(self, ref: JobRef, name: str) -> bytes | None: ...
    @abstractmethod
    def _remove(self, ref: JobRef) -> None: ...


class RedisBlobs(Blobs):
    """Blobs beside the jobs, in one hash a job."""

    def _write(self, ref: JobRef, name: str, data: bytes) -> None:
        keys = [self._keys.blobs(ref), self._keys.owners(ref), self._keys.unowned]
        outcome = self._scripts.run(
            "admit_blob", keys, [str(ref), name, len(data), MAX_JOB_BYTES_IN_REDIS, NEARLY_FULL]
        )[0]
        if outcome == b"too-large":
            raise JobTooLarge(
                f"a job may keep {MAX_JOB_BYTES_IN_REDIS // 2**20} MB in Redis, and {name} of "
                f"{len(data)} bytes exceeds that; keep blobs in a folder or bucket instead"
            )
        if outcome == b"full":
            raise StoreFull("Redis is nearly full, so new jobs are refused")
        with store_errors():
            self._redis.hset(self._keys.blobs(ref), name, data)

    def _read(self, ref: JobRef, name: str) -> bytes | None:
        with store_errors():
            return cast("bytes | None", self._redis.hget(self._keys.blobs(ref), name))

    def _remove(self, ref: JobRef) -> None:
        with store_errors():
            self._redis.unlink(self._keys.blobs(ref))


def open_blobs(url: str, client: redis.Redis, *, prefix: str = "limelight") -> Blobs:
    """Open the place where blobs are kept.

    Parameters
    ----------
    url : str
        ``redis:``, ``file:///folder`` or ``s3://bucket/prefix``. For a bucket, credentials, region
        and endpoint are taken from the environment (``AWS_…``), as other tools take them.
    client : redis.Redis
        From ``connect``.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if url == "redis:":
        return RedisBlobs(client, prefix=prefix)
    # Most installations do without this library, and a worker starts faster without loading it.
    from worker.jobs.object_blobs import ObjectBlobs  # noqa: PLC0415

    return ObjectBlobs(client, prefix=prefix, url=url)
