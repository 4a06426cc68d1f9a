"""What a job needs of the world, as ``run_job`` sees it: the store, the blobs and the models.

The real ones live in ``worker.jobs`` and ``worker.serving``; the tests bring their own. Nothing
here knows Redis, Celery or gRPC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from worker.jobs.job import Failure, JobRef, Progress
from worker.jobs.sharing import Standing
from worker.jobs.store import Claim
from worker.jobs.traffic import Left, Outcome, Seat, Visitor
from worker.serving.pace import Pace
from worker.serving.resolved import ResolvedModel


class JobStore(Protocol):
    """The job record: every call is one atomic step; all but ``claim`` raise ``StaleClaim``."""

    def claim(self, ref: JobRef, *, worker: str, lease_s: float) -> Claim:
        """Take the job, or raise ``NotClaimable``, ``UnknownJob`` or ``ErasedJob``."""

    def join(self, claim: Claim, work: str | None) -> Standing:
        """Say which work the job needs, and learn whether it is to do it."""

    def renew(self, claim: Claim, *, lease_s: float) -> bool:
        """Prolong the lease; tell whether the client asked to cancel."""

    def report(self, claim: Claim, progress: Progress) -> None:
        """Publish how far the job is."""

    def give_back(
        self,
        claim: Claim,
        *,
        delay_s: float,
        waiting_for: str | None,
        counts_as_attempt: bool,
    ) -> None:
        """Put the job back in the queue."""

    def succeed(self, claim: Claim, result: Mapping[str, Any]) -> None:
        """End the job with its result."""

    def fail(self, claim: Claim, failure: Failure) -> None:
        """End the job with the reason why it failed."""

    def cancel(self, claim: Claim) -> None:
        """End the job as canceled."""


class BlobStore(Protocol):
    """Bytes by key: uploads in, pictures and arrays out."""

    def get(self, key: str) -> bytes:
        """Return the bytes, or raise ``BlobMissing``."""

    def put(self, key: str, data: bytes) -> None:
        """Store the bytes; a reader sees all of them or none."""


class Seats(Protocol):
    """Seats at models, shared by all workers: ``worker.jobs.traffic.Traffic``."""

    def knock(self, model: str, *, who: Visitor, lease_s: float) -> None:
        """Go on if the model may be asked at all, or raise ``ModelBusy``."""

    def enter(self, model: str, *, who: Visitor, most: int, lease_s: float) -> Seat:
        """Take a seat, or raise ``ModelBusy``."""

    def renew(
        self,
        model: str,
        *,
        who: JobRef,
        most: int,
        lease_s: float,
        images: int,
        proven: int,
        gave_way: bool,
    ) -> Seat:
        """Keep the seat, and learn what it allows now."""

    def leave(self, model: str, *, who: JobRef, outcome: Outcome, most: int) -> Left:
        """Give the seat up, and learn for which job it is kept now."""


class Predictor(Protocol):
    """Scores batches of images; counts the Predict calls it makes."""

    @property
    def calls(self) -> int:
        """Predict calls made so far."""

    @property
    def batch_size(self) -> int:
        """Images in a call."""

    def __call__(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float64]]:
        """Score batches (n, H, W, C) in order: (n, classes) for each."""


class Model(Protocol):
    """One configured model at its server."""

    @property
    def max_in_flight(self) -> int:
        """Most calls under way, over all workers together."""

    @property
    def pace(self) -> Pace:
        """How fast this process asks it."""

    def resolve(
        self, version: int | None, *, timeout_s: float, checkpoint: Callable[[], None]
    ) -> ResolvedModel:
        """Return the version that is served now, or the one asked for."""

    def predictor(
        self,
        resolved: ResolvedModel,
        *,
        deadline_s: float,
        checkpoint: Callable[[], None],
        seats: Callable[[], int],
    ) -> Predictor:
        """Return a predictor whose calls, all together, end within ``deadline_s`` seconds.

        ``checkpoint`` is called while a call is waited for; what it raises ends the wait. ``seats``
        tells how many calls may be under way.
        """


class Observer(Protocol):
    """Somebody who watches how jobs fare: ``worker.metrics.WorkerMetrics``."""

    def stage(self, model: str, stage: str, seconds: float) -> None:
        """Note that a job of this model has left a stage."""

    def attempt(self, model: str, outcome: str, seconds: float) -> None:
        """Note that a job of this model was left."""


class Nobody:
    """An observer who looks away."""

    def stage(self, model: str, stage: str, seconds: float) -> None:
        """Note nothing."""

    def attempt(self, model: str, outcome: str, seconds: float) -> None:
        """Note nothing."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Times in seconds.

    Attributes
    ----------
    lease_s : float
        How long a claim lasts without being renewed.
    job_limit_s : float
        How long one attempt at a job may take.
    beat_s : float
        How often the lease is renewed and a cancel looked for.
    report_s : float
        The least time between two reports within one stage.
    resolve_timeout_s : float
        Deadline of finding out which version the model server serves.
    """

    lease_s: float = 30.0
    job_limit_s: float = 600.0
    beat_s: float = 1.0
    report_s: float = 0.3
    resolve_timeout_s: float = 10.0


def never() -> bool:
    """No shutdown is ever asked for."""
    return False


@dataclass(frozen=True, kw_only=True)
class Ports:
    """All that ``run_job`` is given.

    Attributes
    ----------
    store, blobs
        The job records and the bytes.
    seats : Seats
        Seats at the models, shared by all workers.
    call : callable
        Calls a waiting job to the seat that is kept for it; False if it no longer waits.
    model : callable
        Name to model; raises ``UnknownModel``.
    worker : str
        Who claims: host, process.
    shutting_down : callable
        Whether this process was asked to end; read between batches.
    libraries : mapping of str to str
        Versions that are recorded in each result.
    reuse_results : bool
        Whether jobs that need the same work share its result.
    observer : Observer
        Who is told how long what took.
    """

    store: JobStore
    blobs: BlobStore
    seats: Seats
    call: Callable[[JobRef], bool]
    model: Callable[[str], Model]
    worker: str
    limits: Limits = field(default_factory=Limits)
    shutting_down: Callable[[], bool] = never
    libraries: Mapping[str, str] = field(default_factory=dict)
    reuse_results: bool = True
    observer: Observer = field(default_factory=Nobody)
