"""The use case: claim a job, explain its image, store what came out, end it.

Whatever happens, a claimed job is ended, handed back, or left to its lease: never forgotten. All
writes carry the fence of the claim, so a worker that lost its lease changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal

import stamina
import structlog

from worker.admission import MODEL_UNAVAILABLE, WAITING_FOR
from worker.compute import compute
from worker.failures import INTERNAL, failure_of, reason_of
from worker.heartbeat import Canceled, Heartbeat, Interrupted, ShuttingDown
from worker.jobs.errors import (
    ErasedJob,
    JobTooLarge,
    NotClaimable,
    StaleClaim,
    StoreUnavailable,
    UnknownJob,
)
from worker.jobs.job import JobRef
from worker.jobs.store import Claim
from worker.jobs.traffic import ModelBusy
from worker.ports import Ports
from worker.progress import Reporter
from worker.reuse import WorkShared
from worker.serving.errors import PredictorUnavailable
from worker.telemetry import spans
from worker.telemetry.trace import working_on

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Outcome = Literal[
    "succeeded", "failed", "canceled", "handed-back", "follows", "reuses", "refused", "lost"
]

# How long a job that met a full or unreachable store, or too little memory, stays in the queue:
# twice as long after each claim, because all its work is done again each time.
RETRY_AFTER_S = 5.0
RETRY_AFTER_AT_MOST_S = 60.0

# How long a job that found its model server away stays in the queue; the retries are behind it.
MODEL_AWAY_S = 2.0

# What this worker lacks and may have later, or another worker has: not the job's failure. That of
# the storage is no attempt, and ends with the job's deadline at the latest; memory may be what the
# job takes too much of, so it is one. JobTooLarge is a kind of full that the job brought with it.
MAY_PASS: Mapping[type[BaseException], str | None] = MappingProxyType(
    {StoreUnavailable: "storage", JobTooLarge: None, MemoryError: "memory"}
)


@dataclass(frozen=True)
class Ending:
    """How an attempt ended, and the one write that says so."""

    outcome: Outcome
    write: Callable[[], None]


def run_job(ref: JobRef, *, ports: Ports) -> Outcome:
    """Work on a job until it has ended or is in other hands.

    Parameters
    ----------
    ref : JobRef
        All that came through the queue.
    ports : Ports

    Returns
    -------
    Outcome
        ``follows`` or ``reuses`` if another job does, or has done, the same work; ``refused`` if
        the job could not be claimed (it has ended, is erased, or another worker
        has it); ``lost`` if it was claimed and is no longer ours, or could not be ended: then
        its lease runs out and the sweeper queues it again.

    Raises
    ------
    SystemExit
        If the process is being ended by force; the job is handed back first.
    """
    try:
        claim = ports.store.claim(ref, worker=ports.worker, lease_s=ports.limits.lease_s)
    except (NotClaimable, UnknownJob, ErasedJob) as refusal:
        log.info("job not claimed", reason=str(refusal) or type(refusal).__name__)
        return "refused"
    except StoreUnavailable as error:
        log.warning("the job could not be claimed, the sweeper will find it", error=str(error))
        return "lost"
    # A record of before there were traces has none.
    trace, parent = spans.continued(claim.job.traceparent)
    began = time.monotonic()
    with (
        working_on(trace),
        structlog.contextvars.bound_contextvars(
            model=claim.job.request.model, trace_id=trace.trace_id
        ),
    ):
        outcome = _attempt(claim, ports)
    seconds = time.monotonic() - began
    ports.observer.attempt(claim.job.request.model, outcome, seconds)
    spans.record(
        "explain",
        trace=trace,
        parent=parent,
        seconds=seconds,
        kind="consumer",
        attributes={
            "limelight.job": claim.job.ref.id,
            "limelight.tenant": claim.job.ref.tenant,
            "limelight.model": claim.job.request.model,
            "limelight.outcome": outcome,
        },
        failed=outcome in ("failed", "lost"),
    )
    return outcome


def _attempt(claim: Claim, ports: Ports) -> Outcome:
    """Work on a claimed job until it has ended or is in other hands."""
    log.info("job claimed", fence=claim.fence, attempt=claim.job.attempts)
    report = Reporter(ports.store, claim, every_s=ports.limits.report_s, observer=ports.observer)
    with Heartbeat(
        ports.store,
        claim,
        limits=ports.limits,
        shutting_down=ports.shutting_down,
        stage=lambda: report.latest.stage,
    ) as heartbeat:
        ending = _work(claim, ports, heartbeat, report)
        report.leave()
        outcome = _end(ending, patience_s=ports.limits.lease_s)
    log.info("job left", outcome=outcome, fence=claim.fence)
    return outcome


def _work(claim: Claim, ports: Ports, heartbeat: Heartbeat, report: Reporter) -> Ending:
    """Compute, and turn whatever comes out of it into the write that ends the attempt."""
    try:
        result = compute(claim, ports=ports, heartbeat=heartbeat, report=report)
    except (Interrupted, StaleClaim) as reason:
        return _interrupted(reason, claim, ports)
    except ModelBusy as busy:
        return _hand_back(
            claim, ports, delay_s=busy.retry_in_s, waiting_for=WAITING_FOR[busy.reason]
        )
    except SystemExit:
        # Celery ends a child by SIGTERM, which arrives here as SystemExit, when it did not
        # reach a checkpoint within the grace of a shutdown.
        _end(_hand_back(claim, ports), patience_s=1.0)
        raise
    except Exception as error:  # noqa: BLE001 - the boundary: every job ends, and says why.
        return _failed(error, claim, ports, stage=report.latest.stage)
    return Ending("succeeded", partial(ports.store.succeed, claim, result))


def _interrupted(reason: Interrupted | StaleClaim, claim: Claim, ports: Ports) -> Ending:
    if isinstance(reason, Canceled):
        return Ending("canceled", partial(ports.store.cancel, claim))
    if isinstance(reason, WorkShared):
        return Ending(reason.standing, _nothing)
    if isinstance(reason, ShuttingDown):
        return _hand_back(claim, ports)
    return Ending("lost", _nothing)


def _hand_back(
    claim: Claim,
    ports: Ports,
    *,
    delay_s: float = 0.0,
    waiting_for: str | None = None,
    counts_as_attempt: bool = False,
) -> Ending:
    return Ending(
        "handed-back",
        partial(
            ports.store.give_back,
            claim,
            delay_s=delay_s,
            waiting_for=waiting_for,
            counts_as_attempt=counts_as_attempt,
        ),
    )


def _failed(error: Exception, claim: Claim, ports: Ports, *, stage: str) -> Ending:
    waiting_for = next((MAY_PASS[kind] for kind in type(error).__mro__ if kind in MAY_PASS), None)
    if waiting_for is not None:
        log.warning("the job is handed back", waiting_for=waiting_for, exc_info=error)
        return _hand_back(
            claim,
            ports,
            delay_s=min(RETRY_AFTER_S * 2 ** (claim.fence - 1), RETRY_AFTER_AT_MOST_S),
            waiting_for=waiting_for,
            counts_as_attempt=waiting_for == "memory",
        )
    if isinstance(error, PredictorUnavailable) and error.retryable:
        # The model's circuit opens if that goes on; the job waits for as long as its deadline.
        log.warning("the model server is away", context=error.context, error=str(error))
        return _hand_back(claim, ports, delay_s=MODEL_AWAY_S, waiting_for=MODEL_UNAVAILABLE)
    failure = failure_of(error, stage=stage)
    # A mistake of ours fails the job at once: it would be made again on each attempt.
    unforeseen = reason_of(error) is INTERNAL
    (log.error if unforeseen else log.warning)(
        "job failed",
        type=failure.type,
        stage=stage,
        error=str(error),
        context=getattr(error, "context", None),
        exc_info=error if unforeseen else None,
    )
    return Ending("failed", partial(ports.store.fail, claim, failure))


def _end(ending: Ending, *, patience_s: float) -> Outcome:
    """Write the ending; while the store is away, try again for as long as the lease may last."""
    try:
        for attempt in stamina.retry_context(
            on=StoreUnavailable,
            attempts=None,
            timeout=patience_s,
            wait_initial=0.1,
            wait_max=2.0,
        ):
            with attempt:
                ending.write()
    except StaleClaim:
        log.warning("another worker has the job, nothing was changed", meant=ending.outcome)
        return "lost"
    except StoreUnavailable as error:
        log.warning("the job could not be ended", meant=ending.outcome, error=str(error))
        return "lost"
    return ending.outcome


def _nothing() -> None:
    """Write nothing: the job is in other hands, or has ended."""
