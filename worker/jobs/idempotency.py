"""Requests that may be repeated: a client's key stands for one request, one job and one answer.

The reservation holds the id of the job before the job is made. If its maker dies, the next request
under the key makes the same job, and making a job twice makes one: so there is never a second.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, cast

import redis

from worker.jobs.errors import AnotherRequest, ErasedJob, StillCreating
from worker.jobs.job import JobRef
from worker.jobs.keys import Keys
from worker.jobs.scripts import Scripts

KEPT_S = 86_400
# Longer than a request may take: gunicorn ends a process that is stuck for a minute.
PATIENCE_S = 90.0


@dataclass(frozen=True, slots=True)
class Reservation:
    """The right to make the job that a key stands for."""

    key: str
    job: JobRef
    call: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The job that a key stands for, and the answer that was given when it was made."""

    job: JobRef
    answer: bytes


class Idempotency:
    """Reservations in Redis. Every method raises ``StoreUnavailable`` if that is not reachable."""

    def __init__(self, client: redis.Redis, *, prefix: str = "limelight") -> None:
        self._keys = Keys(prefix)
        self._scripts = Scripts(client)

    def reserve(self, ref: JobRef, *, key: str, fingerprint: str) -> Reservation | Answered:
        """Reserve a key of the tenant of ``ref`` for one request.

        Parameters
        ----------
        ref : JobRef
            A fresh reference. The reservation may name another, which is to be used then.
        key : str
            The client's.
        fingerprint : str
            What tells the request from others.

        Raises
        ------
        AnotherRequest
            If the key was used for another request.
        StillCreating
            If the same request is being served at this moment.
        ErasedJob
            If the job was made and has been erased since.
        """
        name = self._keys.idempotency(ref.tenant, sha256(key.encode()).hexdigest())
        call = secrets.token_hex(8)
        outcome, *rest = cast(
            "list[Any]",
            self._scripts.run(
                "reserve_answer", [name], [fingerprint, call, ref.id, PATIENCE_S, KEPT_S]
            ),
        )
        if outcome == b"mismatch":
            raise AnotherRequest
        if outcome == b"creating":
            raise StillCreating
        job = replace(ref, id=rest[0].decode())
        if outcome == b"reserved":
            return Reservation(name, job, call)
        if not rest[1]:
            raise ErasedJob(str(job))
        return Answered(job, rest[1])

    def keep(self, reservation: Reservation, answer: bytes) -> None:
        """Keep the answer for a day, or until the job is erased."""
        self._scripts.run(
            "keep_answer",
            [reservation.key, self._keys.job(reservation.job)],
            [reservation.call, answer, KEPT_S],
        )

    def release(self, reservation: Reservation) -> None:
        """Let the key be used again, because the request was refused and no job was made."""
        self._scripts.run(
            "release_answer",
            [reservation.key, self._keys.job(reservation.job)],
            [reservation.call],
        )
