"""Workers that are frozen, killed, woken and told to end."""

from __future__ import annotations

import itertools
import random
import signal
import time
from collections.abc import Iterator

import httpx

from tests.bench.figure import Figure
from tests.faults.stack import LEASE_S, Stack, load, running_stack, wait_until

SETTLE_S = 180.0
GRACE_S = 10.0


def nothing_lost(name: str, stack: Stack, client: httpx.Client) -> Iterator[Figure]:
    """Wait for every accepted job, and count those that did not end well, or ended twice."""
    stack.settle(client, timeout_s=SETTLE_S)
    counts = stack.ledger.counts()
    accepted = counts.total()
    yield Figure(name=f"{name}: jobs accepted", value=accepted, unit="jobs")
    yield Figure(
        name=f"{name}: jobs lost", value=accepted - counts["succeeded"], unit="jobs", goal=0
    )
    yield Figure(
        name=f"{name}: jobs that ended twice", value=stack.ended_twice(), unit="jobs", goal=0
    )


def freeze_kill(*, kills: int, jobs: int) -> Iterator[Figure]:
    """Freeze a worker at any moment of taking or doing jobs, then kill it; another goes on."""
    with running_stack() as stack, httpx.Client(timeout=10, trust_env=False) as client:
        stack.start_worker()
        with load(stack, threads=2, pause_s=0.05, most=jobs):
            for number in range(kills):
                worker = stack.workers[-1]
                # The moment between taking a message and recording it lasts microseconds; a
                # random one each time, and the load, make it likely to be met.
                time.sleep(random.Random(number).uniform(0.3, 1.2))
                worker.send(signal.SIGSTOP)
                time.sleep(0.3)
                worker.kill()
                stack.start_worker(wait=False)
                wait_until(stack.workers[-1].is_ready, timeout_s=60, what="the next worker")
        yield from nothing_lost("freeze_kill", stack, client)


def kill_loop(*, kills: int, jobs: int) -> Iterator[Figure]:
    """Kill one of two workers again and again, while jobs are posted."""
    with running_stack() as stack, httpx.Client(timeout=10, trust_env=False) as client:
        alive = [stack.start_worker(concurrency=1) for _ in range(2)]
        with load(stack, threads=4, pause_s=0.1, most=jobs):
            for number in range(kills):
                time.sleep(random.Random(number).uniform(0.2, 0.8))
                alive.pop(0).kill()
                alive.append(stack.start_worker(concurrency=1, wait=False))
                wait_until(alive[-1].is_ready, timeout_s=60, what="the next worker")
        yield from nothing_lost("kill_loop", stack, client)


def stale_worker(*, rounds: int) -> Iterator[Figure]:
    """Let a worker sleep past its lease in the middle of a job, and wake after another did it."""
    stale = 0
    with running_stack() as stack, httpx.Client(timeout=10, trust_env=False) as client:
        for _ in range(rounds):
            first = stack.start_worker(concurrency=1)
            stack.model_server.hang()
            job_id = stack.post(client)
            assert job_id is not None
            _wait_for(stack, client, job_id, status="processing")
            first.send(signal.SIGSTOP)
            stack.model_server.release()
            second = stack.start_worker(concurrency=1)
            wait_until(
                lambda job_id=job_id: stack.job(client, job_id)["status"] == "succeeded",
                timeout_s=60,
                what="another worker does the job",
            )
            before = client.get(f"{stack.url}/v1/explanations/{job_id}").content
            first.send(signal.SIGCONT)
            time.sleep(2.0)
            stale += client.get(f"{stack.url}/v1/explanations/{job_id}").content != before
            first.kill()
            second.kill()
        yield Figure(
            name="stale_worker: jobs changed after their end", value=stale, unit="jobs", goal=0
        )
        yield from nothing_lost("stale_worker", stack, client)


def crash_delay(*, rounds: int) -> Iterator[Figure]:
    """Kill the worker that has a job, with another one idle; time until that one takes it."""
    delays = []
    with running_stack() as stack, httpx.Client(timeout=10, trust_env=False) as client:
        for _ in range(rounds):
            first = stack.start_worker(concurrency=1)
            stack.model_server.hang()
            job_id = stack.post(client)
            assert job_id is not None
            _wait_for(stack, client, job_id, status="processing")
            second = stack.start_worker(concurrency=1)
            first.kill()
            killed = time.monotonic()
            stack.model_server.release()
            wait_until(
                lambda job_id=job_id: stack.job(client, job_id)["attempts"] == 2,
                timeout_s=60,
                what="another worker takes the job",
            )
            delays.append(time.monotonic() - killed)
            _wait_for(stack, client, job_id, status="succeeded")
            second.kill()
        yield from nothing_lost("crash_delay", stack, client)
    yield Figure(
        name=f"crash_delay: longest, with a lease of {LEASE_S:g} s",
        value=max(delays), unit="s", goal=LEASE_S + 5,
    )  # fmt: skip


def drain(*, rounds: int) -> Iterator[Figure]:
    """Ask a worker to end in the middle of a job; another one does it."""
    took = []
    with running_stack() as stack, httpx.Client(timeout=10, trust_env=False) as client:
        for _ in range(rounds):
            first = stack.start_worker(concurrency=1)
            stack.model_server.hang()
            job_id = stack.post(client)
            assert job_id is not None
            _wait_for(stack, client, job_id, status="processing")
            began = time.monotonic()
            first.process.send_signal(signal.SIGTERM)
            wait_until(
                lambda job_id=job_id: stack.job(client, job_id)["status"] == "queued",
                timeout_s=60,
                what="the job is handed back",
            )
            first.process.wait(timeout=60)
            took.append(time.monotonic() - began)
            stack.model_server.release()
            second = stack.start_worker(concurrency=1)
            _wait_for(stack, client, job_id, status="succeeded")
            second.kill()
        yield from nothing_lost("drain", stack, client)
    yield Figure(
        name="drain: longest from SIGTERM to the worker's end",
        value=max(took), unit="s", goal=GRACE_S + 2,
    )  # fmt: skip


def cancel(*, rounds: int) -> Iterator[Figure]:
    """Cancel queued jobs, running ones, and ones whose model server hangs."""
    took = []
    with running_stack() as stack, httpx.Client(timeout=10, trust_env=False) as client:
        stack.start_worker(concurrency=1)
        for number in itertools.chain.from_iterable(itertools.repeat(range(3), rounds)):
            hangs, slow = number == 0, number == 1
            stack.model_server.delay_s = 0.3 if slow else 0.0
            if hangs:
                stack.model_server.hang()
            busy = stack.post(client) if number == 2 else None
            job_id = stack.post(client)
            assert job_id is not None
            if number != 2:
                _wait_for(stack, client, job_id, status="processing")
                time.sleep(0.3)
            began = time.monotonic()
            answer = client.post(f"{stack.url}/v1/explanations/{job_id}/cancel")
            wait_until(
                lambda job_id=job_id: stack.job(client, job_id)["status"] == "canceled",
                timeout_s=20,
                what=f"a job is canceled ({answer.status_code})",
            )
            took.append(time.monotonic() - began)
            stack.model_server.release()
            stack.ledger.end(job_id, "canceled")
            if busy is not None:
                _wait_for(stack, client, busy, status="succeeded")
    yield Figure(name="cancel: longest", value=max(took), unit="s", goal=2.0)


def _wait_for(stack: Stack, client: httpx.Client, job_id: str, *, status: str) -> None:
    wait_until(
        lambda: stack.job(client, job_id)["status"] == status,
        timeout_s=60,
        what=f"a job is {status}",
    )
