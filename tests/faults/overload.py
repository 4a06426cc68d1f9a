"""More jobs than can be done, for long enough to see that memory stays as it is."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator

import psutil

from tests.bench.figure import Figure
from tests.faults.load import load, nothing_lost
from tests.faults.stack import Stack, running_stack
from tests.faults.workers import resident_bytes

TIMES = 3.0
# Both limits are met: the rate by the load, the queue by what passes that.
TENANTS = """
[defaults]
queue_limit = 12
rate_limit = "5/second"
"""
# Above the rate limit, however slow the machine.
LEAST_RATE = 10.0
CALL_S = 0.15
PROBED = 10
WARM_UP_S = 4.0
SAMPLE_S = 0.25


def overload(*, seconds: float) -> Iterator[Figure]:
    """Post three times what the one worker can do, over the tenant's rate and its queue's limit."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as tenants:
        tenants.write(TENANTS)
        tenants.flush()
        with running_stack(tenants_file=tenants.name) as stack:
            stack.model_server.delay_s = CALL_S
            worker = stack.start_worker(concurrency=1)
            capacity = _capacity(stack)
            pids = {"web": _web_pid(), "worker": worker.process.pid}
            with load(stack, rate=max(TIMES * capacity, LEAST_RATE), threads=8, most_waiting=None):
                time.sleep(WARM_UP_S)
                grown = _growth(pids, seconds=seconds)
            refused = set(stack.refused)
            yield Figure(name="overload: jobs a second of one worker", value=capacity, unit="1/s")
            yield from nothing_lost("overload", stack, at_least=15)
    yield Figure(
        name="overload: kinds of answers other than 202, 429, 503",
        value=len(refused - {429, 503}), unit="kinds", goal=0,
    )  # fmt: skip
    yield Figure(
        name="overload: of 429 and 503, kinds that were met",
        value=len(refused & {429, 503}), unit="kinds", goal=2, goal_is="at least",
    )  # fmt: skip
    for name, share in grown.items():
        yield Figure(
            name=f"overload: resident memory of {name}, last third / first",
            value=share, unit="x", goal=1.1,
        )  # fmt: skip


def _capacity(stack: Stack) -> float:
    """Jobs a second, of some that are waiting at once."""
    # Below the rate limit.
    posted = []
    while len(posted) < PROBED:
        if (job_id := stack.post()) is not None:
            posted.append(job_id)
        time.sleep(0.25)
    stack.refused.clear()
    done = [one for one in posted if stack.job(one)["status"] == "succeeded"]
    began = time.monotonic()
    stack.settle(timeout_s=60)
    return (len(posted) - len(done)) / (time.monotonic() - began)


def _web_pid() -> int:
    mine = psutil.Process().children()
    return next(one.pid for one in mine if "web.main" in one.cmdline())


def _growth(pids: dict[str, int], *, seconds: float) -> dict[str, float]:
    """Sample resident memory; the mean of the last third over that of the first."""
    samples: dict[str, list[int]] = {name: [] for name in pids}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for name, pid in pids.items():
            samples[name].append(resident_bytes(pid))
        time.sleep(SAMPLE_S)
    return {name: _ratio_of_thirds(found) for name, found in samples.items()}


def _ratio_of_thirds(samples: list[int]) -> float:
    third = len(samples) // 3
    return statistics.mean(samples[-third:]) / statistics.mean(samples[:third])
