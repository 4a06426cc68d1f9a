"""The job store: every transition of a job, each in one atomic step in Redis.

The record is the truth. A message in the queue is only a hint that there may be something to do,
and a worker's word counts only while its claim holds.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from worker.jobs.client_store import PUBLISH_GRACE_S, ClientStore
from worker.jobs.codec import decode, pairs, to_json
from worker.jobs.connection import store_errors
from worker.jobs.errors import NotClaimable, Refusal, StaleClaim
from worker.jobs.job import WORKER_LOST, Failure, Job, JobRef, Progress, QueueName
from worker.jobs.scripts import Argument
from worker.jobs.sharing import Standing


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a job until the lease runs out. The fence is what proves it."""

    job: Job
    fence: int
    worker: str


class Due(NamedTuple):
    """A job for which a message has to be sent."""

    ref: JobRef
    queue: QueueName


class Hastened(NamedTuple):
    """Whether a job has still to be done, and the queue to publish it in if it waits."""

    is_open: bool
    queue: QueueName | None


class Store(ClientStore):
    """Jobs in Redis, as workers and the sweeper handle them.

    Every method raises ``StoreUnavailable`` when Redis cannot be reached. Those that take a claim
    raise ``StaleClaim``, and change nothing, once it has lost its job.
    """

    # --- what a worker does with one job ---------------------------------------------------------

    def claim(self, ref: JobRef, *, worker: str, lease_s: float, max_attempts: int = 3) -> Claim:
        """Take a job, for as long as the lease is renewed.

        A job that cannot run any more is ended by the attempt: it expires past its deadline, is
        canceled if that was asked for, and fails once ``max_attempts`` have been started.

        Raises
        ------
        NotClaimable
            With the reason; ``expired``, ``canceled`` and ``worker-lost`` ended the job just now.
        UnknownJob, ErasedJob
        """
        outcome, *rest = self._run(
            "claim",
            ref,
            secrets.token_hex(8),
            worker,
            lease_s,
            max_attempts,
            to_json(WORKER_LOST),
        )
        if outcome == b"missing":
            self._raise_missing(ref)
        if outcome != b"claimed":
            raise NotClaimable(cast("Refusal", outcome.decode()))
        job = decode(ref, pairs(rest[0]))
        return Claim(job, job.fence, worker)

    def join(self, claim: Claim, work: str | None) -> Standing:
        """Say which work the job needs, and learn whether it is to do it.

        The first job leads. One that comes while the leader is in hands follows: its claim ends,
        and it ends as the leader does, or is queued again if it has to do the work itself. One
        that comes while a result is kept ends with that.

        Parameters
        ----------
        work : str or None
            Name of the work, the same for all who need the same (``worker.jobs.sharing``); None
            to do it for nobody else, and to leave those who followed.
        """
        return cast("Standing", self._run_claimed("join", claim, work or "")[0].decode())

    def renew(self, claim: Claim, *, lease_s: float) -> bool:
        """Prolong the lease; tell whether the client asked to cancel the job."""
        return bool(self._run_claimed("renew", claim, lease_s)[1] == b"1")

    def report(self, claim: Claim, progress: Progress) -> None:
        """Publish how far the job is."""
        self._run_claimed(
            "report", claim, progress.stage, progress.samples_done, progress.samples_limit
        )

    def give_back(
        self,
        claim: Claim,
        *,
        delay_s: float,
        waiting_for: str | None,
        counts_as_attempt: bool,
    ) -> None:
        """Put the job back into the queue; it is published again after ``delay_s`` seconds.

        Parameters
        ----------
        waiting_for : str or None
            What the job waits for, as shown to the client.
        counts_as_attempt : bool
            False if the job is not to blame: a busy model, a worker that shuts down.
        """
        self._run_claimed("give_back", claim, delay_s, waiting_for or "", int(counts_as_attempt))

    def hasten(self, ref: JobRef) -> Hastened:
        """Let a job be claimed at once that was given back to wait; it has to be published."""
        outcome, *queue = self._run("hasten", ref, PUBLISH_GRACE_S)
        return Hastened(
            is_open=outcome != b"over",
            queue=cast("QueueName", queue[0].decode()) if queue else None,
        )

    def succeed(self, claim: Claim, result: Mapping[str, Any]) -> None:
        """End the job with its result."""
        self._run_claimed(
            "end_claim", claim, "succeeded", "stage", "done", "result", to_json(result)
        )

    def fail(self, claim: Claim, failure: Failure) -> None:
        """End the job with the reason why it failed."""
        self._run_claimed("end_claim", claim, "failed", "error", to_json(failure))

    def cancel(self, claim: Claim) -> None:
        """End the job as canceled."""
        self._run_claimed("end_claim", claim, "canceled", "cancel_requested", 1)

    # --- what the sweeper does with all jobs -----------------------------------------------------

    def lead(self, *, worker: str, lease_s: float) -> bool:
        """Become or stay the leader for ``lease_s`` seconds; False while another worker is."""
        won = self._scripts.run("lead", [self._keys.leader], [worker, int(lease_s * 1000)])
        return bool(won)

    def due(self, *, limit: int) -> list[Due]:
        """Find open jobs that need a message.

        They were never published, their message led nowhere for long, their lease has run out, or
        the time has come for which they were given back.
        """
        refs = self._overdue(self._keys.attention, limit=limit)
        with store_errors(), self._redis.pipeline(transaction=False) as pipeline:
            for ref in refs:
                pipeline.hget(self._keys.job(ref), "queue")
            queues = pipeline.execute()
        if gone := [str(ref) for ref, queue in zip(refs, queues, strict=True) if queue is None]:
            # Of a record that is lost nothing can be published; many of these would hide the rest.
            with store_errors():
                self._redis.zrem(self._keys.attention, *gone)
        return [
            Due(ref, cast("QueueName", queue.decode()))
            for ref, queue in zip(refs, queues, strict=True)
            if queue is not None
        ]

    def expire_overdue(self, *, limit: int) -> list[JobRef]:
        """End queued jobs whose deadline has passed; return those that were."""
        refs = self._overdue(self._keys.deadlines, limit=limit)
        return [ref for ref in refs if self._run("expire", ref)[0] == b"expired"]

    def past_retention(self, *, limit: int) -> list[JobRef]:
        """Find jobs that have been kept for as long as was promised."""
        return self._overdue(self._keys.retention, limit=limit)

    def unowned(self, *, older_than_s: float, limit: int) -> list[JobRef]:
        """Find references under which blobs were stored so long ago, and never a job."""
        return self._overdue(self._keys.unowned, limit=limit, age_s=older_than_s)

    # --- helpers ---------------------------------------------------------------------------------

    def _run_claimed(self, script: str, claim: Claim, *arguments: Argument) -> list[Any]:
        answer = self._run(script, claim.job.ref, claim.fence, *arguments)
        if answer[0] == b"stale":
            raise StaleClaim(f"{claim.job.ref} is no longer held under fence {claim.fence}")
        return answer

    def _overdue(self, schedule: str, *, limit: int, age_s: float = 0.0) -> list[JobRef]:
        members = self._scripts.run("overdue", [schedule], [age_s, limit])
        return [JobRef.parse(member.decode()) for member in members]
