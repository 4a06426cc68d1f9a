"""Redis and the model server, taken away and given back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx

from tests.bench.figure import Figure
from tests.faults.kills import nothing_lost
from tests.faults.stack import Stack, load, running_stack, wait_until


def redis_restart(*, kills: int, jobs: int) -> Iterator[Figure]:
    """Kill Redis under load and start it again on the same files."""
    resumed = []
    with running_stack() as stack, httpx.Client(timeout=15, trust_env=False) as client:
        stack.start_worker()
        with load(stack, threads=2, pause_s=0.1, most=jobs):
            for _ in range(kills):
                time.sleep(3.0)
                stack.redis_server.kill()
                time.sleep(1.0)
                stack.redis_server.start()
                resumed.append(_until_one_more_is_done(stack, client))
        statuses = set(stack.refused)
        yield from nothing_lost("redis_restart", stack, client)
    yield Figure(
        name="redis_restart: longest until work goes on", value=max(resumed), unit="s", goal=10
    )
    yield Figure(
        name="redis_restart: answers meanwhile that were neither 202 nor 503",
        value=len(statuses - {503}), unit="kinds", goal=0,
    )  # fmt: skip


def _until_one_more_is_done(stack: Stack, client: httpx.Client) -> float:
    """Post one more job and wait for it; seconds since now."""
    posted: list[str] = []

    def posts() -> bool:
        job_id = stack.post(client)
        if job_id is not None:
            posted.append(job_id)
        return bool(posted)

    accepted_s = wait_until(posts, timeout_s=60, what="a job is accepted again")
    done_s = wait_until(
        lambda: stack.job(client, posted[0])["status"] == "succeeded",
        timeout_s=60,
        what="a job is done again",
    )
    return accepted_s + done_s
