"""Jobs that are posted while harm is done, and the count of what became of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.bench.figure import Figure
from tests.faults.stack import Stack

# Far more than it takes; a loaded machine must not be taken for a loss.
SETTLE_S = 600.0
MOST_WAITING = 20


@contextmanager
def load(
    stack: Stack, *, rate: float, threads: int = 2, most_waiting: int | None = MOST_WAITING
) -> Iterator[None]:
    """Post small jobs until the block ends: so many a second, while few wait already.

    A backlog would only be work for later: how much a machine gets done is not the question.
    """
    stop = threading.Event()

    def post_on() -> None:
        with httpx.Client(timeout=10, trust_env=False) as client:
            while not stop.wait(threads / rate):
                if most_waiting is None or stack.waiting() < most_waiting:
                    stack.post(client)

    posting = [threading.Thread(target=post_on, daemon=True) for _ in range(threads)]
    for thread in posting:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in posting:
            thread.join(timeout=15)


def nothing_lost(
    name: str, stack: Stack, *, at_least: int = 1, may_give_up: bool = False
) -> Iterator[Figure]:
    """Wait for every accepted job, and count those that did not end well, or ended twice.

    Parameters
    ----------
    at_least : int
        Fewer accepted jobs than this would show nothing.
    may_give_up : bool
        Whether a job may have been on three workers that were killed, and failed by that: it is
        not lost, its owner is told.
    """
    settled_s = stack.settle(timeout_s=SETTLE_S)
    counts = stack.ledger.counts()
    accepted = counts.total()
    given_up = stack.ledger.given_up() if may_give_up else 0
    yield Figure(
        name=f"{name}: jobs accepted", value=accepted, unit="jobs",
        goal=at_least, goal_is="at least",
    )  # fmt: skip
    yield Figure(
        name=f"{name}: jobs lost", value=accepted - counts["succeeded"] - given_up,
        unit="jobs", goal=0,
    )  # fmt: skip
    for status, count in counts.items():
        if status != "succeeded":
            yield Figure(name=f"{name}: of these {status}", value=count, unit="jobs")
    yield Figure(
        name=f"{name}: jobs that ended twice", value=stack.ended_twice(), unit="jobs", goal=0
    )
    yield Figure(
        name=f"{name}: jobs that were taken again", value=stack.ledger.taken_again(), unit="jobs"
    )
    yield Figure(name=f"{name}: until all had ended", value=settled_s, unit="s")
