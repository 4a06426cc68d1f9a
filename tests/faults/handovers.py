"""Jobs that pass from one worker to another, or stop: at most one of them is believed."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

from tests.bench.figure import Figure
from tests.faults.load import nothing_lost
from tests.faults.stack import LEASE_S, LONG, Stack, running_stack, wait_until
from tests.faults.workers import WorkerGroup
from worker.jobs.job import JobRef
from worker.jobs.queue import Queue, celery_app
from worker.jobs.settings import StoreSettings

GRACE_S = 10.0


def stale_worker(*, rounds: int) -> Iterator[Figure]:
    """Let a worker sleep past its lease in the middle of a job, and wake after another did it."""
    stale = 0
    with running_stack() as stack:
        for _ in range(rounds):
            first, job_id = _in_hands(stack)
            first.send(signal.SIGSTOP)
            stack.model_server.release()
            second = stack.start_worker(concurrency=1)
            stack.wait_for(job_id, "succeeded")
            before = stack.job(job_id)
            first.send(signal.SIGCONT)
            time.sleep(2.0)
            stale += stack.job(job_id) != before
            first.kill()
            second.kill()
        yield Figure(
            name="stale_worker: jobs changed after their end", value=stale, unit="jobs", goal=0
        )
        yield from nothing_lost("stale_worker", stack, at_least=rounds)


def crash_delay(*, rounds: int) -> Iterator[Figure]:
    """Kill the worker that has a job, with another one idle; time until that one takes it."""
    delays = []
    with running_stack() as stack:
        for _ in range(rounds):
            first, job_id = _in_hands(stack)
            second = stack.start_worker(concurrency=1)
            first.kill()
            killed = time.monotonic()
            stack.model_server.release()
            wait_until(
                lambda job_id=job_id: stack.job(job_id)["attempts"] == 2,
                timeout_s=60,
                what="another worker takes the job",
            )
            delays.append(time.monotonic() - killed)
            stack.wait_for(job_id, "succeeded")
            second.kill()
        yield from nothing_lost("crash_delay", stack, at_least=rounds)
    yield Figure(
        name=f"crash_delay: longest, with a lease of {LEASE_S:g} s",
        value=max(delays), unit="s", goal=LEASE_S + 5,
    )  # fmt: skip


def drain(*, rounds: int) -> Iterator[Figure]:
    """Ask a worker to end in the middle of a job; another one, already there, does it."""
    took, back = [], []
    with running_stack() as stack:
        for _ in range(rounds):
            first, job_id = _in_hands(stack)
            second = stack.start_worker(concurrency=1)
            began = time.monotonic()
            first.process.send_signal(signal.SIGTERM)
            wait_until(
                lambda job_id=job_id, first=first: stack.held_by(job_id) not in first.children,
                timeout_s=60,
                what="the job is handed back",
            )
            back.append(time.monotonic() - began)
            first.process.wait(timeout=60)
            took.append(time.monotonic() - began)
            stack.model_server.release()
            stack.wait_for(job_id, "succeeded")
            second.kill()
        yield from nothing_lost("drain", stack, at_least=rounds)
    yield Figure(
        name="drain: longest from SIGTERM until the job is given back",
        value=max(back), unit="s", goal=GRACE_S + 2,
    )  # fmt: skip
    yield Figure(
        name="drain: longest from SIGTERM to the worker's end",
        value=max(took), unit="s", goal=GRACE_S + 2,
    )  # fmt: skip


def cancel(*, rounds: int) -> Iterator[Figure]:
    """Cancel running jobs, ones whose model server hangs, and queued ones."""
    took = []
    with running_stack() as stack:
        stack.start_worker(concurrency=1)
        for kind in ("running", "hanging", "queued") * rounds:
            stack.model_server.delay_s = 0.1
            if kind == "hanging":
                stack.model_server.hang()
            busy = stack.accepted(**LONG) if kind == "queued" else None
            job_id = stack.accepted(**LONG)
            stack.wait_for(job_id if busy is None else busy, "processing")
            # Well into its calls.
            time.sleep(0.5)
            took.append(_cancel(stack, job_id))
            if busy is not None:
                took.append(_cancel(stack, busy))
            stack.model_server.release()
    yield Figure(name="cancel: jobs canceled", value=len(took), unit="jobs")
    yield Figure(name="cancel: longest", value=max(took), unit="s", goal=2.0)


def duplicates(*, jobs: int) -> Iterator[Figure]:
    """Send the message of each job three times more, before and while workers take them."""
    with running_stack() as stack:
        queue = Queue(celery_app(StoreSettings(redis_url=stack.redis_server.url)))
        stack.start_worker()
        posted = [stack.accepted() for _ in range(jobs)]
        for job_id in posted * 3:
            queue.publish(JobRef("default", job_id), "interactive")
        yield from nothing_lost("duplicates", stack, at_least=jobs)
        yield Figure(
            name="duplicates: jobs that were started more than once",
            value=stack.ledger.taken_again(), unit="jobs", goal=0,
        )  # fmt: skip


def _in_hands(stack: Stack) -> tuple[WorkerGroup, str]:
    """Start a worker and give it a job whose call hangs; both."""
    worker = stack.start_worker(concurrency=1)
    stack.model_server.hang()
    job_id = stack.accepted()
    stack.wait_for(job_id, "processing")
    # Past the claim, into the first call.
    time.sleep(0.3)
    return worker, job_id


def _cancel(stack: Stack, job_id: str) -> float:
    began = time.monotonic()
    stack.client.post(f"{stack.url}/v1/explanations/{job_id}/cancel").raise_for_status()
    stack.wait_for(job_id, "canceled", timeout_s=20)
    return time.monotonic() - began
