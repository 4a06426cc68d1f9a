"""Takes deliveries that are due, tries them side by side, and settles what came of each.

Nothing of a job is ever written here. If this process dies, what it had in hand is due again when
the lease ends, and is sent with the same id.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Protocol, cast

import stamina
import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

from worker.jobs.errors import ErasedJob, StoreUnavailable, UnknownJob
from worker.jobs.job import Job, JobRef, Status
from worker.telemetry import spans
from worker.telemetry.trace import HEADER
from worker.telemetry.trouble import Trouble
from worker.webhooks import payload
from worker.webhooks.addresses import Policy, host_of
from worker.webhooks.delivery import Sender
from worker.webhooks.metrics import WebhookMetrics
from worker.webhooks.outbox import Attempt, Member, Outbox, Parcel
from worker.webhooks.schedule import Outcome, next_step
from worker.webhooks.signing import SecretStore, signed_headers
from worker.webhooks.slots import Slots

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# How often is looked for deliveries that are due, at least and at most.
POLL_S = 0.25
PAUSE_S = 0.02
# Deliveries that are looked at in one round.
BATCH = 1000
# If there are more, those that find no slot are put off, so that they do not hide the others in
# the next rounds; of a host that answers some stay, and follow as soon as a slot is free.
PUT_OFF_S = {"prompt": 1.0, "stranger": 1.0, "slow": 5.0}
STAY = 25
STORE_AWAY_S = 1.0
# A host that takes longer is slow, even if it answers in the end: it holds threads all the same.
PROMPT_S = 5.0


class Jobs(Protocol):
    """Where jobs are read."""

    def get(self, ref: JobRef) -> Job:
        """Return the job, or raise ``UnknownJob`` or ``ErasedJob``."""


@dataclass(frozen=True, kw_only=True)
class Dispatcher:
    """Sends what is due, until it is told to stop.

    Attributes
    ----------
    outbox, jobs, secrets, sender
        What it works with.
    watch : WebhookMetrics
        Is told what came of each try.
    policy_of : callable
        From a tenant to where its webhooks may go.
    slots : Slots
        How many tries may run.
    threads : int
        The most that ``slots`` admits.
    lease_s : float
        How long a delivery is in hand; longer than a try can last.
    user_agent : str
    rng : random.Random
        For the jitter of the schedule.
    prefix : str
        What the paths of the service begin with.
    """

    outbox: Outbox
    jobs: Jobs
    secrets: SecretStore
    sender: Sender
    policy_of: Callable[[str], Policy]
    watch: WebhookMetrics
    slots: Slots
    threads: int
    lease_s: float
    user_agent: str
    rng: random.Random
    prefix: str = ""
    _progress: threading.Event = field(default_factory=threading.Event, init=False)

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; tries that run then are ended in peace."""
        trouble = Trouble(log)
        with ThreadPoolExecutor(self.threads, thread_name_prefix="webhook") as pool:
            while not stop.wait(PAUSE_S):
                self._progress.clear()
                try:
                    self._start_due(pool)
                    trouble.over("the store is back")
                except StoreUnavailable as error:
                    trouble.tell(
                        "the store is away, trying again", problem=error.problem, error=str(error)
                    )
                    stop.wait(STORE_AWAY_S)
                # Earlier if a slot has become free.
                self._progress.wait(POLL_S)

    def _start_due(self, pool: ThreadPoolExecutor) -> None:
        """Start a try of each delivery that is due and finds a slot."""
        put_off: dict[float, list[Member]] = {delay_s: [] for delay_s in PUT_OFF_S.values()}
        waiting: Counter[str] = Counter()
        due = self.outbox.due(limit=BATCH)
        for member, url in due:
            if url is None:
                # Taking it drops it from the schedule.
                self.outbox.take(member, lease_s=self.lease_s)
                log.info(
                    "webhook dropped, its job was erased",
                    job=member.ref.id,
                    tenant=member.ref.tenant,
                )
                continue
            host = host_of(url)
            admission = self.slots.admit(host)
            if admission == "full":
                break
            if admission == "admitted":
                self._start(pool, member, host)
                continue
            waiting[host] += 1
            if admission != "prompt" or waiting[host] > STAY:
                put_off[PUT_OFF_S[admission]].append(member)
        if len(due) == BATCH:
            for delay_s, members in put_off.items():
                self.outbox.put_off(members, delay_s=delay_s)

    def _start(self, pool: ThreadPoolExecutor, member: Member, host: str) -> None:
        parcel = None
        try:
            parcel = self.outbox.take(member, lease_s=self.lease_s)
        finally:
            if parcel is None:
                self.slots.release(host, slow=None)
        if parcel is not None:
            pool.submit(self._deliver, parcel, host)

    def _deliver(self, parcel: Parcel, host: str) -> None:
        slow: bool | None = None
        began = monotonic()
        # The thread may have worked on another job before.
        clear_contextvars()
        bind_contextvars(job=parcel.member.ref.id, tenant=parcel.member.ref.tenant)
        try:
            # Timeouts may be set shorter.
            slow = self._try(parcel).error == "timeout" or monotonic() - began > PROMPT_S
        except StoreUnavailable as error:
            # It stays in hand until the lease ends, and is then sent again with the same id.
            log.warning("the store is away, a webhook waits", error=str(error))
        except Exception:
            log.exception("a webhook cannot be settled")
        finally:
            self.slots.release(host, slow=slow)
            self._progress.set()

    def _try(self, parcel: Parcel) -> Outcome:
        """Send, and settle whatever came of it."""
        began = datetime.now(UTC)
        try:
            outcome = self._send(parcel, began)
        except StoreUnavailable:
            raise
        except (UnknownJob, ErasedJob):
            outcome = Outcome(error="erased", detail="The job was erased before it could be told.")
        except Exception:
            # A mistake of ours. It goes by the schedule, so that it is not tried without end.
            log.exception("a webhook cannot be sent")
            outcome = Outcome(error="internal", detail="The service could not make the request.")
        self._settle(parcel, outcome, began)
        return outcome

    def _send(self, parcel: Parcel, at: datetime) -> Outcome:
        ref = parcel.member.ref
        status = cast("Status", parcel.member.status)
        job = self.jobs.get(ref)
        # A record of before there were traces has none.
        trace, parent = spans.continued(job.traceparent)
        bind_contextvars(model=job.request.model, trace_id=trace.trace_id)
        body = payload.build(job, status=status, at=parcel.at, prefix=self.prefix)
        secrets = self.secrets.for_signing(ref.tenant, now=at)
        headers = {
            "User-Agent": self.user_agent,
            HEADER: str(trace),
            **signed_headers(parcel.id, body, secrets=secrets, at=at),
        }
        started = monotonic()
        outcome = self.sender.send(
            parcel.url, body.encode(), headers=headers, policy=self.policy_of(ref.tenant)
        )
        spans.record(
            "webhook",
            trace=trace,
            parent=parent,
            seconds=monotonic() - started,
            kind="client",
            attributes={"limelight.job": ref.id, "limelight.event": parcel.event},
            failed=outcome.error is not None,
        )
        return outcome

    def _settle(self, parcel: Parcel, outcome: Outcome, began: datetime) -> None:
        attempt = Attempt(
            at=began.timestamp(),
            took_s=round((datetime.now(UTC) - began).total_seconds(), 3),
            status_code=outcome.status_code,
            error=outcome.error,
            detail=outcome.detail,
        )
        step = next_step(outcome, tries=parcel.tries + 1, rng=self.rng)
        # What is not settled is sent once more when the lease ends; a try takes half of it at most.
        settle = stamina.retry(
            on=StoreUnavailable, attempts=None, timeout=self.lease_s / 2, wait_max=1.0
        )(self.outbox.settle)
        if settle(parcel, attempt, state=step.state, delay_s=step.delay_s):
            self.watch.tried(
                event=parcel.event, error=attempt.error, state=step.state, seconds=attempt.took_s
            )
        log.info(
            "webhook tried",
            webhook_event=parcel.event,
            status_code=outcome.status_code,
            error=outcome.error,
            state=step.state,
            next_try_in_s=round(step.delay_s, 1) if step.state == "pending" else None,
        )
