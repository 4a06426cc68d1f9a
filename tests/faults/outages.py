"""Redis: killed, cut off, reset, full, emptied."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import httpx

from tests.bench.figure import Figure
from tests.faults.load import load, nothing_lost
from tests.faults.stack import LONG, Stack, running_stack, wait_until
from tests.support.refusals import demoted, too_few_replicas

# Well below what a worker does, so that no backlog is mistaken for an outage.
RATE = 4.0
POST_EVERY_S = 0.5
CALL_S = 0.03
_BALLAST_BYTES = 8_000_000
# How long Redis is full. Longer than a lease, which cannot be renewed meanwhile.
_FULL_S = 5.0
# Shorter than the lease, by more than the time between two renewals: none is to be taken again.
_REFUSED_S, _REFUSED_LEASE_S = 3.0, 10.0


def redis_restart(*, kills: int, jobs: int) -> Iterator[Figure]:
    """Kill Redis under load and start it again on the same files."""
    resumed = []
    with running_stack() as stack:
        stack.model_server.delay_s = CALL_S
        stack.start_worker()
        with load(stack, rate=RATE):
            for _ in range(kills):
                time.sleep(2.0)
                stack.redis_server.kill()
                time.sleep(1.0)
                stack.redis_server.start()
                resumed.append(_until_work_goes_on(stack))
        others = _other_answers(stack)
        yield from nothing_lost("redis_restart", stack, at_least=jobs)
    yield Figure(
        name="redis_restart: longest until work goes on", value=max(resumed), unit="s", goal=10
    )
    yield Figure(
        name="redis_restart: kinds of answers meanwhile that were neither 202 nor 503",
        value=len(others), unit="kinds", goal=0,
    )  # fmt: skip


def half_open(*, rounds: int) -> Iterator[Figure]:
    """Let all connections to Redis fall silent, as an unplugged cable does, or reset them."""
    resumed: dict[str, list[float]] = {"silent": [], "reset": []}
    cut = 0
    with running_stack() as stack:
        stack.model_server.delay_s = CALL_S
        stack.start_worker()
        faults: dict[str, Callable[[], int]] = {
            "silent": stack.proxy.silence,
            "reset": stack.proxy.reset,
        }
        with load(stack, rate=RATE):
            for _ in range(rounds):
                for kind, fault in faults.items():
                    time.sleep(2.0)
                    began = time.monotonic()
                    cut += fault()
                    _until_work_goes_on(stack)
                    resumed[kind].append(time.monotonic() - began)
        others = _other_answers(stack)
        yield Figure(name="half_open: connections cut off", value=cut, unit="connections")
        yield from nothing_lost("half_open", stack, at_least=10 * rounds)
    for kind, found in resumed.items():
        yield Figure(
            name=f"half_open: longest until work goes on, {kind}",
            value=max(found), unit="s", goal=15,
        )  # fmt: skip
    yield Figure(
        name="half_open: kinds of answers meanwhile that were neither 202 nor 503",
        value=len(others), unit="kinds", goal=0,
    )  # fmt: skip


def nearly_full(*, posts: int) -> Iterator[Figure]:
    """Let Redis have little more room than it uses, with jobs in hands and in the queue."""
    with running_stack() as stack, stack.redis() as store:
        # The room that is left is a share of what is used. An empty Redis is smaller than any
        # that anybody limits, and its share would not hold six jobs.
        store.set("ballast", os.urandom(_BALLAST_BYTES))
        stack.start_worker()
        stack.model_server.hang()
        for _ in range(6):
            stack.accepted()
        time.sleep(1.0)
        store.config_set("maxmemory", int(store.info("memory")["used_memory"] / 0.85))
        refused_before = len(stack.refused)
        accepted = sum(stack.post() is not None for _ in range(posts))
        statuses = set(stack.refused[refused_before:])
        stack.model_server.release()
        stack.settle(timeout_s=60)
        store.config_set("maxmemory", 0)
        stack.accepted()
        yield Figure(name="nearly_full: jobs accepted", value=accepted, unit="jobs", goal=0)
        yield Figure(
            name="nearly_full: kinds of answers that were not 503",
            value=len(statuses - {503}), unit="kinds", goal=0,
        )  # fmt: skip
        yield from nothing_lost("nearly_full", stack, at_least=7)


def full(*, rounds: int) -> Iterator[Figure]:
    """Let Redis refuse every write that needs memory for a while, with jobs in hands and queued."""
    resumed = []
    with running_stack() as stack, stack.redis() as store:
        worker = stack.start_worker()
        stack.model_server.delay_s = CALL_S
        for _ in range(rounds):
            posted = [stack.accepted(**LONG) for _ in range(3)] + [stack.accepted()]
            stack.wait_for(posted[0], "processing")
            store.config_set("maxmemory", 1)
            time.sleep(_FULL_S)
            store.config_set("maxmemory", 0)
            began = time.monotonic()
            _until_work_goes_on(stack)
            resumed.append(time.monotonic() - began)
            stack.settle(timeout_s=60)
        ended = worker.process.poll() is not None
        yield from nothing_lost("full", stack, at_least=5 * rounds)
    yield Figure(name="full: workers that ended", value=ended, unit="workers", goal=0)
    yield Figure(name="full: longest until work goes on", value=max(resumed), unit="s", goal=15)


def refused(*, rounds: int) -> Iterator[Figure]:
    """Let Redis take no writes within a lease: for want of replicas, and in a failover."""
    resumed = []
    with running_stack({"LIMELIGHT_LEASE_S": f"{_REFUSED_LEASE_S:g}"}) as stack:
        worker = stack.start_worker()
        stack.model_server.delay_s = CALL_S
        with load(stack, rate=RATE):
            for harm in (too_few_replicas, demoted) * rounds:
                posted = stack.accepted(**LONG)
                stack.wait_for(posted, "processing")
                with harm(stack.redis_server):
                    time.sleep(_REFUSED_S)
                resumed.append(_until_work_goes_on(stack))
        ended = worker.process.poll() is not None
        others = _other_answers(stack)
        yield from nothing_lost("refused", stack, at_least=5 * rounds)
        yield Figure(
            name="refused: jobs that lost an attempt",
            value=stack.ledger.taken_again(), unit="jobs", goal=0,
        )  # fmt: skip
    yield Figure(name="refused: workers that ended", value=ended, unit="workers", goal=0)
    yield Figure(name="refused: longest until work goes on", value=max(resumed), unit="s", goal=10)
    yield Figure(
        name="refused: kinds of answers meanwhile that were neither 202 nor 503",
        value=len(others), unit="kinds", goal=0,
    )  # fmt: skip


def emptied(*, jobs: int) -> Iterator[Figure]:
    """Empty Redis with jobs in hands and in the queue; they are gone, and nothing else is said."""
    with running_stack() as stack, stack.redis() as store:
        stack.start_worker()
        stack.model_server.delay_s = CALL_S
        posted = [stack.accepted(**LONG) for _ in range(jobs)]
        stack.wait_for(posted[0], "processing")
        store.flushall()
        began = time.monotonic()
        readiness: list[int] = []
        seen: set[object] = set()

        def works_again() -> bool:
            seen.update(stack.job(job_id)["status"] for job_id in posted)
            readiness.append(stack.client.get(f"{stack.url}/v2/health/ready").status_code)
            return stack.post() is not None

        wait_until(works_again, timeout_s=60, what="a job is accepted again")
        _until_work_goes_on(stack)
        resumed_s = time.monotonic() - began
        seen.update(stack.job(job_id)["status"] for job_id in posted)
        others = _other_answers(stack)
    yield Figure(
        name="emptied: kinds of status of jobs that were lost, other than gone",
        value=len(seen - {"lost"}), unit="kinds", goal=0,
    )  # fmt: skip
    # None if the steward happened to tell of the models at once.
    yield Figure(
        name="emptied: answers that it is not ready", value=readiness.count(503), unit="answers"
    )
    yield Figure(
        name="emptied: kinds of answers to new jobs that were neither 202 nor 503",
        value=len(others), unit="kinds", goal=0,
    )  # fmt: skip
    # The steward tells of the models every ten seconds.
    yield Figure(name="emptied: until new jobs are done", value=resumed_s, unit="s", goal=15)


def _other_answers(stack: Stack) -> set[int]:
    """Kinds of answers to new jobs other than 202 and 503; that none came in time is none."""
    return set(stack.refused) - {0, 503}


def _until_work_goes_on(stack: Stack) -> float:
    """Post jobs, one every half second, until any of them is done; seconds since now.

    All of them are watched: the message of the first may be what the fault cost, and the sweeper
    sends that again later.
    """
    posted: list[str] = []
    due = time.monotonic()

    def one_is_done() -> bool:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + POST_EVERY_S
            with httpx.Client(timeout=2, trust_env=False) as client:
                job_id = stack.post(client)
            if job_id is not None:
                posted.append(job_id)
        return any(stack.job(job_id)["status"] == "succeeded" for job_id in posted)

    return wait_until(one_is_done, timeout_s=60, what="a job is accepted and done again")
