"""Keeps a claim alive while its job is worked on, and knows when the work has to stop.

A thread renews the lease. The work itself calls ``checkpoint`` between batches, which raises when
there is a reason to stop: a thread cannot interrupt another, and should not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from types import TracebackType
from typing import Self, TypeVar

import stamina
import structlog

from worker.failures import TimedOut, failure_of
from worker.jobs.errors import StaleClaim, StoreUnavailable
from worker.jobs.store import Claim
from worker.ports import JobStore, Limits
from worker.telemetry.trouble import Trouble

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


# How long past its limit a job may take to reach a checkpoint, or the exception that Celery raises
# then, before this thread ends it from outside.
OVERTIME_S = 10.0


T = TypeVar("T")


class Interrupted(Exception):
    """The work stops here, through no fault of the job."""


class LeaseLost(Interrupted):
    """Another worker may have the job: nothing more can be written."""


class Canceled(Interrupted):
    """The client asked to cancel."""


class ShuttingDown(Interrupted):
    """The process was asked to end."""


class Heartbeat:
    """A claim that is renewed until the block ends.

    Parameters
    ----------
    store : JobStore
    claim : Claim
    limits : Limits
        The lease is renewed every ``beat_s`` and at least three times in ``lease_s``. The beat is
        what bounds how late a cancel is seen, so it is shorter than the lease needs.
    shutting_down : callable
        Whether this process was asked to end.
    stage : callable
        Where the job is, for one that has to be ended from outside.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        store: JobStore,
        claim: Claim,
        *,
        limits: Limits,
        shutting_down: Callable[[], bool],
        stage: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._claim = claim
        self._limits = limits
        self._shutting_down = shutting_down
        self._stage = stage
        self._clock = clock
        self._started = self._renewed = clock()
        self._cancel_requested = claim.job.cancel_requested
        self._lost = False
        self._ended = threading.Event()
        self._also: Callable[[], None] | None = None
        # A daemon, so that a process that was told to exit does not wait for it.
        # In the job's context, so that what it logs names the job.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._beat,), name="heartbeat", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        # A renewal may be on its way to a Redis that does not answer. The fence makes it
        # harmless, so the job does not wait for it.
        self._thread.join(timeout=0.5)

    @contextmanager
    def renewing(self, renew: Callable[[], None]) -> Iterator[None]:
        """Renew something else with each beat until the block ends."""
        self._also = renew
        try:
            yield
        finally:
            self._also = None

    @property
    def remaining_s(self) -> float:
        """Seconds that this attempt may still take, negative when it took too long."""
        return self._started + self._limits.job_limit_s - self._clock()

    def checkpoint(self) -> None:
        """Go on, or raise the reason to stop.

        Raises
        ------
        LeaseLost, Canceled, ShuttingDown, TimedOut
            In this order of precedence.
        """
        if self._lost:
            raise LeaseLost
        if self._cancel_requested:
            raise Canceled
        if self._shutting_down():
            raise ShuttingDown
        if self.remaining_s <= 0:
            raise TimedOut(self._limits.job_limit_s)

    def outlast(self, call: Callable[[], T]) -> T:
        """Call the store; while it is away, call again for as long as a lease lasts.

        Raises
        ------
        LeaseLost, Canceled, ShuttingDown, TimedOut
            As soon as there is a reason to stop.
        StoreUnavailable
            What it said last.
        """
        for attempt in stamina.retry_context(
            on=StoreUnavailable,
            attempts=None,
            timeout=self._limits.lease_s,
            wait_initial=0.1,
            wait_max=1.0,
            wait_jitter=0.1,
        ):
            with attempt:
                self.checkpoint()
                return call()
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _beat(self) -> None:
        every = min(self._limits.beat_s, self._limits.lease_s / 3)
        trouble = Trouble(log)
        while not self._lost and not self._ended.wait(every):
            try:
                self._beat_once()
                trouble.over("the lease is renewed again")
            except StaleClaim:
                self._lost = True
            except StoreUnavailable as error:
                # Redis may be back before the lease has run out; only then is it lost.
                trouble.tell(
                    "the lease could not be renewed", problem=error.problem, error=str(error)
                )
                self._lost = self._clock() - self._renewed > self._limits.lease_s
            except Exception:
                # A mistake of ours must not end this thread unseen: nobody would renew the lease.
                log.exception("the heartbeat failed, the job is left to another worker")
                self._lost = True

    def _beat_once(self) -> None:
        if self.remaining_s < -OVERTIME_S:
            # It hangs where no checkpoint is reached, and would keep its lease for ever. The
            # process is ended later, by Celery's hard limit.
            timed_out = TimedOut(self._limits.job_limit_s)
            self._store.fail(self._claim, failure_of(timed_out, stage=self._stage()))
            log.error("the job hangs and was ended from outside", stage=self._stage())
            self._lost = True
            return
        self._cancel_requested |= self._store.renew(self._claim, lease_s=self._limits.lease_s)
        self._renewed = self._clock()
        # Read once: the work may end its block meanwhile.
        also = self._also
        if also is not None:
            also()
