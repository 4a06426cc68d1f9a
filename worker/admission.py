"""Whether a job may have its model now: the seat that it needs, and what came of having it.

The seat is one of ``worker.jobs.traffic``; how fast the model is asked is its ``Pace``. This is
where what one learns reaches the other.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

import structlog

from worker.jobs.errors import StoreUnavailable
from worker.jobs.job import Job, JobRef
from worker.jobs.traffic import ModelBusy, Outcome, Seat
from worker.serving.errors import PredictorDeadline, PredictorError, PredictorUnavailable
from worker.serving.pace import Learned, Pace

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# What a client reads of why its job waits.
MODEL_UNAVAILABLE = "model-unavailable"
WAITING_FOR = {"model-busy": "model-busy", "circuit-open": MODEL_UNAVAILABLE}


class Seats(Protocol):
    """Seats at models, shared by all workers: ``worker.jobs.traffic.Traffic``."""

    def knock(self, model: str, *, who: JobRef, since: float) -> None:
        """Go on if the model may be asked at all, or raise ``ModelBusy``."""

    def enter(self, model: str, *, who: JobRef, since: float, most: int, lease_s: float) -> Seat:
        """Take a seat, or raise ``ModelBusy``."""

    def renew(
        self, model: str, *, who: JobRef, most: int, lease_s: float, images: int, gave_way: bool
    ) -> Seat:
        """Keep the seat, and learn what it allows now."""

    def leave(self, model: str, *, who: JobRef, outcome: Outcome) -> float:
        """Give the seat up; return for how long the model's circuit was opened, or 0."""


class Admission:
    """One job's way to its model, from asking for it to having done with it.

    Parameters
    ----------
    seats : Seats
    job : Job
    pace : Pace
        The model's, which adapts to what is learned elsewhere and says what it has learned.
    most : int
        Calls that the model's profile allows in flight.
    lease_s : float
        How long a seat is kept without being renewed.
    """

    def __init__(self, seats: Seats, job: Job, *, pace: Pace, most: int, lease_s: float) -> None:
        self._seats = seats
        self._job = job
        self._model = job.request.model
        self._pace = pace
        self._most = most
        self._lease_s = lease_s
        self._seat: Seat | None = None
        self._gave_way = pace.gave_way

    def __enter__(self) -> Self:
        """Go on if the model may be asked at all.

        Raises
        ------
        ModelBusy
        """
        self._seats.knock(self._model, who=self._job.ref, since=self._job.created_at)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the seat up, and tell how the model fared."""
        if isinstance(error, ModelBusy):
            return
        try:
            open_s = self._seats.leave(
                self._model, who=self._job.ref, outcome=self._outcome_of(error)
            )
        except StoreUnavailable as away:
            # The lease of the seat runs out by itself.
            log.warning("the seat at the model could not be given up", error=str(away))
            return
        if open_s:
            log.error("the model keeps failing and is left alone", seconds=open_s)

    def take_seat(self) -> None:
        """Take the seat that Predict calls need.

        Raises
        ------
        ModelBusy
        """
        self._seat = self._seats.enter(
            self._model,
            who=self._job.ref,
            since=self._job.created_at,
            most=self._most,
            lease_s=self._lease_s,
        )
        if self._seat.images is not None:
            self._pace.take_over(Learned(images=self._seat.images, in_flight=1))

    def renew(self) -> None:
        """Keep the seat, and hear how many calls it allows; called about once a second."""
        if self._seat is None:
            return
        gave_way, self._gave_way = self._gave_way, self._pace.gave_way
        self._seat = self._seats.renew(
            self._model,
            who=self._job.ref,
            most=self._most,
            lease_s=self._lease_s,
            images=self._pace.images,
            gave_way=self._gave_way > gave_way,
        )

    def in_flight(self) -> int:
        """Tell how many calls may be under way now."""
        return 1 if self._seat is None else self._seat.in_flight

    def _outcome_of(self, error: BaseException | None) -> Outcome:
        if isinstance(error, PredictorUnavailable | PredictorDeadline):
            return "failed"
        # A server that answers works, whatever one thinks of the answer.
        answered = error is None or isinstance(error, PredictorError)
        return "worked" if answered and self._seat is not None else "neither"
