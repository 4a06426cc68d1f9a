"""Workers that are frozen and killed under load, and a job that kills its worker."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator

from tests.bench.figure import Figure
from tests.faults.load import load, nothing_lost
from tests.faults.stack import LONG, START_S, Stack, running_stack, wait_until

# A call takes so long that a kill finds jobs in hands, and workers keep up with the load.
CALL_S = 0.01
RATE = 4.0


def freeze_kill(*, kills: int, jobs: int) -> Iterator[Figure]:
    """Freeze a worker at any moment of taking or doing jobs, then kill it; another goes on."""
    with running_stack() as stack:
        stack.model_server.delay_s = CALL_S
        worker = stack.start_worker()
        with load(stack, rate=RATE):
            for number in range(kills):
                # The moment between taking a message and recording it lasts microseconds; a
                # random one each time, and the load, make it likely to be met.
                time.sleep(random.Random(number).uniform(0.3, 1.2))
                worker.send(signal.SIGSTOP)
                time.sleep(0.3)
                worker.kill()
                worker = stack.start_worker(wait=False)
                wait_until(worker.is_ready, timeout_s=START_S, what="the next worker")
            _until_accepted(stack, jobs)
        yield from nothing_lost("freeze_kill", stack, at_least=jobs, may_give_up=True)


def kill_loop(*, kills: int, jobs: int) -> Iterator[Figure]:
    """Kill one of two workers again and again, while jobs are posted."""
    with running_stack() as stack:
        stack.model_server.delay_s = CALL_S
        alive = [stack.start_worker(concurrency=1) for _ in range(2)]
        with load(stack, rate=RATE):
            for number in range(kills):
                time.sleep(random.Random(number).uniform(0.2, 0.8))
                alive.pop(0).kill()
                alive.append(stack.start_worker(concurrency=1, wait=False))
                wait_until(alive[-1].is_ready, timeout_s=START_S, what="the next worker")
            _until_accepted(stack, jobs)
        yield from nothing_lost("kill_loop", stack, at_least=jobs, may_give_up=True)


def _until_accepted(stack: Stack, jobs: int) -> None:
    """Let the load go on until there were enough jobs to show something."""
    wait_until(
        lambda: stack.ledger.counts().total() >= jobs,
        timeout_s=900,
        what=f"{jobs} jobs are accepted",
    )


def poison(*, others: int) -> Iterator[Figure]:
    """Kill the process that has a certain job whenever one has it, and no other."""
    with running_stack() as stack:
        stack.start_worker()
        stack.model_server.delay_s = CALL_S
        poisonous = stack.accepted(**LONG)
        harmless = []
        killed: set[int] = set()

        def has_ended() -> bool:
            shown = stack.job(poisonous)
            holder = stack.held_by(poisonous)
            if shown["status"] == "processing" and holder is not None and holder not in killed:
                killed.add(holder)
                # What is in hands beside it is to be unharmed, so there is something.
                harmless.extend(stack.accepted() for _ in range(others))
                time.sleep(0.1)
                os.kill(holder, signal.SIGKILL)
            return shown["status"] == "failed"

        wait_until(has_ended, timeout_s=120, what="the poisonous job ends")
        shown = stack.job(poisonous)
        stack.settle(timeout_s=60)
        unharmed = [stack.job(job_id) for job_id in harmless]
        error = shown["error"]
    yield Figure(name="poison: processes killed", value=len(killed), unit="kills", goal=3)
    yield Figure(
        name="poison: attempts until it failed as worker-lost",
        value=int(str(shown["attempts"])) if "worker-lost" in str(error) else -1,
        unit="attempts", goal=3, goal_is="at least",
    )  # fmt: skip
    yield Figure(
        name="poison: other jobs that did not succeed at their first attempt",
        value=sum((one["status"], one["attempts"]) != ("succeeded", 1) for one in unharmed),
        unit="jobs", goal=0,
    )  # fmt: skip
