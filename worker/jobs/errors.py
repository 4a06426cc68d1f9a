"""What can go wrong with jobs, their store, their blobs and their queue."""

from __future__ import annotations

from typing import Literal


class JobsError(Exception):
    """Base of all errors of this room."""


class UnknownJob(JobsError):
    """There is no such job, or it is another tenant's."""


class ErasedJob(JobsError):
    """There was such a job; it was erased less than 30 days ago."""


class JobExists(JobsError):
    """Another job was created under this id."""


class JobEnded(JobsError):
    """The job has ended, so there is nothing left to cancel."""


class AnotherRequest(JobsError):
    """The idempotency key was used for another request."""


class StillCreating(JobsError):
    """A request under the same idempotency key is being served at this moment."""


# Why a claim was refused. The last three are also what the claim made of the job.
Refusal = Literal["ended", "held", "not-before", "expired", "canceled", "worker-lost"]


class NotClaimable(JobsError):
    """The job cannot be worked on now; its message has done its duty and can be forgotten.

    Attributes
    ----------
    reason : str
        ``ended``: it had ended before. ``held``: another worker's lease runs. ``not-before``: it
        was given back to wait. ``expired``, ``canceled``, ``worker-lost``: this claim ended it so.
    """

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason: Refusal = reason


class StaleClaim(JobsError):
    """The claim has lost its job: it ended, was erased, or the lease ran out.

    Nothing was written.
    """


class StoreUnavailable(JobsError):
    """Redis, or the blob store, cannot be reached or does not answer in time."""

    @property
    def problem(self) -> str:
        """What is wrong, the same text for as long as it is the same."""
        return str(self)


class StoreRefuses(StoreUnavailable):
    """Redis is there, and answers that it cannot serve or write now.

    Attributes
    ----------
    problem : str
        What is wrong and what to do, without addresses and names: whoever may ask for the
        service's health may read it. The message also has Redis's own words.
    """

    def __init__(self, problem: str, *, answer: str) -> None:
        super().__init__(f"{problem}. Redis says: {answer}")
        self._problem = problem

    @property
    def problem(self) -> str:
        """What is wrong and what to do."""
        return self._problem


class StoreMisconfigured(StoreRefuses):
    """Redis cannot serve until an operator changes a setting, here or there."""


class StoreFull(StoreUnavailable):
    """The store has no room for this. What was asked was not done."""


class QueueFull(JobsError):
    """The tenant has as many jobs that have not ended as it may. Nothing was accepted."""


class JobTooLarge(JobsError):
    """The blobs of one job exceed what one job may keep in Redis."""


class QueueUnavailable(JobsError):
    """The queue did not take the job. The job is recorded and will be queued by the sweeper."""


class BlobMissing(JobsError):
    """There is no such blob."""
