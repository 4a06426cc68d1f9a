from __future__ import annotations

import pytest

from tests.unit.fakes import FakeStore, make_job
from worker.jobs.errors import StaleClaim, StoreUnavailable
from worker.jobs.job import Progress
from worker.jobs.store import Claim
from worker.progress import Reporter


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def claim(store: FakeStore) -> Claim:
    return store.claim(store.add(make_job()).ref, worker="host/1", lease_s=30)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_change_of_stage_is_reported_at_once(store: FakeStore, claim: Claim) -> None:
    report = Reporter(store, claim, every_s=0.3, clock=Clock())
    report("segmenting", 0, 100)
    report("sampling", 0, 100)
    assert [one.stage for one in store.reports] == ["segmenting", "sampling"]


def test_within_a_stage_at_most_one_report_goes_out_in_the_time_given(
    store: FakeStore, claim: Claim
) -> None:
    clock = Clock()
    report = Reporter(store, claim, every_s=0.3, clock=clock)
    for step in range(100):
        clock.now = step * 0.01
        report("sampling", step, 100)
    assert [one.samples_done for one in store.reports] == [0, 30, 60, 90]
    assert report.latest == Progress(stage="sampling", samples_done=99, samples_limit=100)


def test_a_stage_nobody_waits_to_see_costs_no_write(store: FakeStore, claim: Claim) -> None:
    report = Reporter(store, claim, every_s=0.3, clock=Clock())
    report("fitting", 64, 64)
    report.enter("storing")
    assert report.latest == Progress(stage="storing", samples_done=64, samples_limit=64)
    assert len(store.reports) == 1


def test_a_store_that_is_away_does_not_stop_the_work(store: FakeStore, claim: Claim) -> None:
    def away() -> None:
        raise StoreUnavailable("redis restarts")

    store.before["report"] = away
    Reporter(store, claim, every_s=0.3)("sampling", 1, 2)
    assert store.reports == []


def test_a_job_that_is_no_longer_ours_stops_the_work(store: FakeStore, claim: Claim) -> None:
    store.steal(claim.job.ref)
    with pytest.raises(StaleClaim):
        Reporter(store, claim, every_s=0.3)("sampling", 1, 2)
