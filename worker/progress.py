"""Tells the store how far a job is, seldom enough to cost nothing, and times its stages."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from worker.jobs.errors import StoreUnavailable
from worker.jobs.job import Progress
from worker.jobs.store import Claim
from worker.ports import JobStore, Nobody, Observer
from worker.telemetry import spans, trace
from worker.telemetry.trouble import Trouble

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Reporter:
    """Reports each change of stage, and within a stage at most every ``every_s`` seconds.

    Attributes
    ----------
    latest : Progress
        Where the job is, reported or not.
    """

    def __init__(
        self,
        store: JobStore,
        claim: Claim,
        *,
        every_s: float,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._claim = claim
        self._every_s = every_s
        self._observer = observer or Nobody()
        self._clock = clock
        self._trouble = Trouble(log)
        self._entered: tuple[str, float] | None = None
        self._reported_at = -every_s
        self._reported_stage: str | None = None
        self.latest = Progress(stage="loading")

    def enter(self, stage: str) -> None:
        """Enter a stage that no client waits to see: it is remembered, not reported."""
        self._time(stage)
        self.latest = Progress(
            stage=stage,
            samples_done=self.latest.samples_done,
            samples_limit=self.latest.samples_limit,
        )

    def __call__(self, stage: str, samples_done: int, samples_limit: int) -> None:
        """Take note of the progress, and report it when it is time.

        Raises
        ------
        StaleClaim
            If the job is no longer ours.
        """
        self._time(stage)
        self.latest = Progress(stage=stage, samples_done=samples_done, samples_limit=samples_limit)
        now = self._clock()
        if stage == self._reported_stage and now - self._reported_at < self._every_s:
            return
        self._reported_at, self._reported_stage = now, stage
        try:
            self._store.report(self._claim, self.latest)
        except StoreUnavailable as error:
            # Progress is news, not a promise: the heartbeat decides whether the job is lost.
            self._trouble.tell(
                "progress could not be reported", problem=error.problem, error=str(error)
            )

    def leave(self) -> None:
        """Leave the last stage."""
        self._time(None)

    def _time(self, stage: str | None) -> None:
        now = self._clock()
        if self._entered is not None:
            left, since = self._entered
            if left == stage:
                return
            self._observer.stage(self._claim.job.request.model, left, now - since)
            step = trace.current()
            if step is not None:
                spans.record(left, trace=step.child(), parent=step, seconds=now - since)
        self._entered = None if stage is None else (stage, now)
