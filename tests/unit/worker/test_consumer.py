"""When Celery's consumer connects; the connecting itself is tried with a real worker."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from celery.exceptions import WorkerShutdown
from celery.worker import state
from celery.worker.consumer import Consumer

from worker.consumer import ASK_AGAIN_S, PAUSE_S, waiting_consumer


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []
    monkeypatch.setattr(Consumer, "connect", lambda _: made.append("connection") or made[-1])
    monkeypatch.setattr(state, "should_stop", None)
    return made


def consumer(refusals: list[str | None], *, sleep: Callable[[float], None]) -> Consumer:
    kind = waiting_consumer(lambda: refusals.pop(0), sleep=sleep)
    # Without a worker around it; connecting is all that is asked of it.
    return kind.__new__(kind)


def test_it_connects_once_redis_takes_writes(connected: list[str]) -> None:
    waits: list[float] = []
    assert consumer(["a replica", "a replica", None], sleep=waits.append).connect()
    assert waits == [ASK_AGAIN_S, ASK_AGAIN_S]
    assert len(connected) == 1


def test_a_connection_that_was_lost_at_once_is_not_made_again_at_once() -> None:
    waits: list[float] = []
    one = consumer([None, None], sleep=waits.append)
    one.connect()
    assert waits == []
    one.connect()
    assert waits == [PAUSE_S]


def test_a_worker_that_is_to_end_waits_no_longer(
    connected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_: float) -> None:
        monkeypatch.setattr(state, "should_stop", 0)

    with pytest.raises(WorkerShutdown):
        consumer(["a replica"] * 3, sleep=sleep).connect()
    assert connected == []
