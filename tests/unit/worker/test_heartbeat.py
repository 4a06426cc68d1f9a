from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tests.unit.fakes import FakeStore, make_job
from worker.failures import TimedOut
from worker.heartbeat import Canceled, Heartbeat, LeaseLost, ShuttingDown
from worker.jobs.errors import StoreFull, StoreRefuses, StoreUnavailable
from worker.jobs.store import Claim
from worker.ports import Limits

QUICK = Limits(beat_s=0.005, lease_s=0.5)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def claim(store: FakeStore) -> Claim:
    job = store.add(make_job())
    return store.claim(job.ref, worker="host/1", lease_s=30)


def heartbeat(
    store: FakeStore,
    claim: Claim,
    *,
    limits: Limits = QUICK,
    shutting_down: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> Heartbeat:
    return Heartbeat(
        store,
        claim,
        limits=limits,
        shutting_down=shutting_down,
        stage=lambda: "segmenting",
        clock=clock,
    )


def test_the_lease_is_renewed_while_the_block_runs_and_not_after(
    store: FakeStore, claim: Claim
) -> None:
    with heartbeat(store, claim) as beating:
        wait_until(lambda: store.renewals >= 3)
        beating.checkpoint()
    seen = store.renewals
    time.sleep(0.05)
    assert store.renewals == seen
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}


def test_a_lease_shorter_than_three_beats_is_renewed_three_times_in_it(
    store: FakeStore, claim: Claim
) -> None:
    with heartbeat(store, claim, limits=Limits(beat_s=60, lease_s=0.03)):
        wait_until(lambda: store.renewals >= 2)


def test_a_cancel_is_learnt_by_the_beat(store: FakeStore, claim: Claim) -> None:
    with heartbeat(store, claim) as beating:
        beating.checkpoint()
        store.request_cancel(claim.job.ref)
        seen = store.renewals
        wait_until(lambda: store.renewals >= seen + 2)
        with pytest.raises(Canceled):
            beating.checkpoint()


def test_a_lease_that_another_worker_has_is_lost(store: FakeStore, claim: Claim) -> None:
    with heartbeat(store, claim) as beating:
        store.steal(claim.job.ref)
        wait_until(lambda: not beating_thread_alive())
        with pytest.raises(LeaseLost):
            beating.checkpoint()


def test_a_store_that_is_away_for_less_than_the_lease_loses_nothing(
    store: FakeStore, claim: Claim
) -> None:
    failures = iter(range(3))

    def away() -> None:
        if next(failures, None) is not None:
            raise StoreUnavailable("redis restarts")

    store.before["renew"] = away
    with heartbeat(store, claim) as beating:
        wait_until(lambda: store.renewals >= 2)
        beating.checkpoint()


def test_a_store_that_is_away_for_longer_than_the_lease_loses_it(
    store: FakeStore, claim: Claim
) -> None:
    def away() -> None:
        raise StoreUnavailable("redis is down")

    store.before["renew"] = away
    with heartbeat(store, claim, limits=Limits(beat_s=0.005, lease_s=0.02)) as beating:
        wait_until(lambda: not beating_thread_alive())
        with pytest.raises(LeaseLost):
            beating.checkpoint()


def test_a_store_that_is_full_for_less_than_the_lease_loses_nothing(
    store: FakeStore, claim: Claim
) -> None:
    failures = iter(range(3))

    def full() -> None:
        if next(failures, None) is not None:
            raise StoreFull("no room for the seat")

    with heartbeat(store, claim) as beating, beating.renewing(full):
        seen = store.renewals
        wait_until(lambda: store.renewals >= seen + 5)
        beating.checkpoint()


def failing(times: int, error: Exception) -> Callable[[], str]:
    failures = iter(range(times))

    def call() -> str:
        if next(failures, None) is not None:
            raise error
        return "stored"

    return call


@pytest.mark.parametrize(
    "error", [StoreUnavailable("away"), StoreRefuses("a replica", answer="READONLY"), StoreFull()]
)
def test_what_the_store_does_not_take_now_is_tried_again(
    store: FakeStore, claim: Claim, error: Exception
) -> None:
    with heartbeat(store, claim) as beating:
        assert beating.outlast(failing(2, error)) == "stored"


def test_a_store_that_takes_nothing_for_as_long_as_a_lease_is_not_waited_for(
    store: FakeStore, claim: Claim
) -> None:
    with (
        heartbeat(store, claim, limits=Limits(beat_s=0.005, lease_s=0.05)) as beating,
        pytest.raises(StoreRefuses),
    ):
        beating.outlast(failing(1_000_000, StoreRefuses("a replica", answer="READONLY")))


def test_a_cancel_ends_the_waiting_for_the_store(store: FakeStore, claim: Claim) -> None:
    store.request_cancel(claim.job.ref)
    with (
        heartbeat(store, claim, limits=Limits(beat_s=0.005, lease_s=60)) as beating,
        pytest.raises(Canceled),
    ):
        beating.outlast(failing(1_000_000, StoreUnavailable("away")))


def test_a_mistake_of_ours_is_made_once(store: FakeStore, claim: Claim) -> None:
    with heartbeat(store, claim) as beating, pytest.raises(KeyError):
        beating.outlast(failing(1, KeyError("ours")))


def test_a_mistake_in_the_heartbeat_stops_the_work(store: FakeStore, claim: Claim) -> None:
    def mistake() -> None:
        raise KeyError("a mistake of ours")

    with heartbeat(store, claim) as beating, beating.renewing(mistake):
        wait_until(lambda: not beating_thread_alive())
        with pytest.raises(LeaseLost):
            beating.checkpoint()


def test_a_shutdown_is_seen_at_the_next_checkpoint(store: FakeStore, claim: Claim) -> None:
    with (
        heartbeat(store, claim, shutting_down=lambda: True) as beating,
        pytest.raises(ShuttingDown),
    ):
        beating.checkpoint()


def test_the_time_limit_ends_the_work_at_the_next_checkpoint(
    store: FakeStore, claim: Claim
) -> None:
    limits = Limits(beat_s=0.005, lease_s=0.5, job_limit_s=0.03)
    with heartbeat(store, claim, limits=limits) as beating:
        assert beating.remaining_s <= 0.03
        wait_until(lambda: beating.remaining_s <= 0)
        with pytest.raises(TimedOut, match=r"0\.03 s"):
            beating.checkpoint()


def test_a_job_that_reaches_no_checkpoint_is_ended_from_outside(
    store: FakeStore, claim: Claim
) -> None:
    now = [0.0]
    limits = Limits(beat_s=0.005, lease_s=30, job_limit_s=600)
    with heartbeat(store, claim, limits=limits, clock=lambda: now[0]) as beating:
        now[0] = 601.0
        seen = store.renewals
        wait_until(lambda: store.renewals >= seen + 2)
        now[0] = 611.0
        wait_until(lambda: not beating_thread_alive())
        with pytest.raises(LeaseLost):
            beating.checkpoint()
    ended = store.get(claim.job.ref)
    assert ended.status == "failed"
    assert ended.error is not None
    assert (ended.error.type, ended.error.stage) == ("timed-out", "segmenting")


def beating_thread_alive() -> bool:
    return any(thread.name == "heartbeat" for thread in threading.enumerate())


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.002)
