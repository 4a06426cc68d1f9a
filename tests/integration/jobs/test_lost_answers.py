"""A call whose answer is lost on its way is made again, and comes to the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.demo.redis_server import PrivateRedis
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.records import Bench
from worker.jobs.connection import connect
from worker.jobs.errors import NotClaimable, StaleClaim
from worker.jobs.keys import Keys
from worker.jobs.settings import StoreSettings
from worker.jobs.store import Store

pytestmark = pytest.mark.integration


@pytest.fixture
def proxy(redis_server: PrivateRedis, redis_url: str) -> Iterator[FaultProxy]:
    with fault_proxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def bench(proxy: FaultProxy) -> Iterator[Bench]:
    settings = StoreSettings(redis_url=f"redis://127.0.0.1:{proxy.port}/0")
    with connect(settings) as client:
        bench = Bench(Store(client), client, Keys("limelight"))
        # Once without loss, so that connection and scripts are there.
        warm = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
        bench.store.succeed(warm, {})
        yield bench


def test_a_job_is_created_once(bench: Bench, proxy: FaultProxy) -> None:
    proxy.lose_next_answer()
    job = bench.create()
    assert proxy.lost == 1
    assert bench.store.get(job.ref) == job
    assert [event.type for event in bench.store.events(job.ref)] == ["queued"]


def test_a_job_is_claimed_once_and_by_the_one_who_asked(bench: Bench, proxy: FaultProxy) -> None:
    ref = bench.create().ref
    proxy.lose_next_answer()
    claim = bench.store.claim(ref, worker="w", lease_s=30)
    assert proxy.lost == 1
    assert (claim.fence, claim.job.attempts) == (1, 1)
    with pytest.raises(NotClaimable, match="held"):
        bench.store.claim(ref, worker="w", lease_s=30)
    bench.store.succeed(claim, {})


def test_an_ending_counts_once_although_its_worker_is_told_it_came_late(
    bench: Bench, proxy: FaultProxy
) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
    proxy.lose_next_answer()
    with pytest.raises(StaleClaim):
        bench.store.succeed(claim, {"done": True})
    assert proxy.lost == 1
    assert bench.store.get(claim.job.ref).result == {"done": True}
    types = [event.type for event in bench.store.events(claim.job.ref)]
    assert types == ["queued", "processing", "succeeded"]


def test_a_leader_leads_although_it_asks_twice(bench: Bench, proxy: FaultProxy) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
    proxy.lose_next_answer()
    assert bench.store.join(claim, "ab" * 32) == "leads"
    assert proxy.lost == 1


def test_a_follower_follows_although_its_worker_is_told_that_it_lost_the_job(
    bench: Bench, proxy: FaultProxy
) -> None:
    leader, follower = (
        bench.store.claim(bench.create().ref, worker="w", lease_s=30) for _ in range(2)
    )
    bench.store.join(leader, "ab" * 32)
    proxy.lose_next_answer()
    with pytest.raises(StaleClaim):
        bench.store.join(follower, "ab" * 32)
    assert proxy.lost == 1
    bench.store.succeed(leader, {"warnings": []})
    ended = bench.store.get(follower.job.ref)
    assert (ended.status, ended.attempts) == ("succeeded", 0)
