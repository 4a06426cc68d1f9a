"""Whether a job may have its model now: the seat that it needs, and what came of having it.

The seat is one of ``worker.jobs.traffic``; how fast the model is asked is its ``Pace``. This is
where what one learns reaches the other.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog

from worker.heartbeat import LeaseLost
from worker.jobs.errors import StaleClaim, StoreUnavailable
from worker.jobs.job import Job, JobRef
from worker.jobs.traffic import ModelBusy, Outcome, Seat, Visitor
from worker.ports import Seats
from worker.serving.errors import PredictorDeadline, PredictorError, PredictorUnavailable
from worker.serving.pace import Learned, Pace

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# How long a seat outlives its worker: it is renewed about once a second, and while it is kept for
# one that died, the other jobs of the model wait.
SEAT_LEASE_S = 5.0
# What a client reads of why its job waits.
MODEL_UNAVAILABLE = "model-unavailable"
WAITING_FOR = {"model-busy": "model-busy", "circuit-open": MODEL_UNAVAILABLE}


class Admission:
    """One job's way to its model, from asking for it to having done with it.

    Parameters
    ----------
    seats : Seats
    call : callable
        Calls a waiting job to the seat that is kept for it; False if it no longer waits.
    job : Job
    pace : Pace
        The model's, which adapts to what is learned elsewhere and says what it has learned.
    most : int
        Calls that the model's profile allows in flight.
    lease_s : float
        How long a seat is kept without being renewed.
    """

    def __init__(
        self,
        seats: Seats,
        job: Job,
        *,
        call: Callable[[JobRef], bool],
        pace: Pace,
        most: int,
        lease_s: float,
    ) -> None:
        self._seats = seats
        self._call = call
        self._job = job
        self._visitor = Visitor(ref=job.ref, queue=job.queue, since=job.created_at)
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
        self._seats.knock(self._model, who=self._visitor, lease_s=self._lease_s)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the seat up, tell how the model fared, and call who is next."""
        if isinstance(error, ModelBusy | LeaseLost | StaleClaim):
            # There is no seat, or it is that of the worker which has the job now.
            return
        try:
            self._leave(self._outcome_of(error))
        except StoreUnavailable as away:
            # The lease of the seat runs out by itself.
            log.warning("the seat at the model could not be given up", error=str(away))

    def _leave(self, outcome: Outcome) -> None:
        left = self._seats.leave(self._model, who=self._job.ref, outcome=outcome, most=self._most)
        if left.open_s:
            log.error("the model keeps failing and is left alone", seconds=left.open_s)
        while left.called is not None and not self._call(left.called):
            # It has ended meanwhile: the next one's turn.
            left = self._seats.leave(
                self._model, who=left.called, outcome="neither", most=self._most
            )

    def take_seat(self) -> None:
        """Take the seat that Predict calls need.

        Raises
        ------
        ModelBusy
        """
        self._seat = self._seats.enter(
            self._model, who=self._visitor, most=self._most, lease_s=self._lease_s
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
            proven=min(self._pace.proven, self._seat.in_flight),
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
