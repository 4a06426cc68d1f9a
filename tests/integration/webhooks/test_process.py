"""The process as it is run: killed, stopped, misconfigured, and with Redis away."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import redis

from deploy.demo.redis_server import PrivateRedis
from tests.integration.webhooks.dispatching import (
    deliveries,
    finish_job,
    make_due,
    process,
    wait_for_attempts,
    wait_until,
)
from tests.support.private_redis import private_redis
from tests.support.receiver import Receiver, hang, status
from tests.support.records import Bench
from tests.support.refusals import demoted, not_allowed, too_few_replicas
from worker.jobs.connection import connect
from worker.jobs.keys import Keys
from worker.jobs.settings import StoreSettings
from worker.jobs.store import Store

pytestmark = pytest.mark.integration

TIMEOUT_S = 1.0


def test_what_a_killed_process_sent_is_sent_again_with_the_same_id(
    bench: Bench, redis_url: str, tmp_path: Path
) -> None:
    with Receiver(hang(30)) as receiver:
        ref = finish_job(bench, receiver.url())
        settings = {"webhook_timeout_s": str(TIMEOUT_S)}
        with process(redis_url, tmp_path / "first.log", **settings) as first:
            receiver.wait_for(1)
            first.send_signal(signal.SIGKILL)
            first.wait()
        killed = time.monotonic()
        assert deliveries(bench.client, ref)[0].attempts == ()
        receiver.behaviour = status(200)
        with process(redis_url, tmp_path / "second.log", **settings):
            before, after = receiver.wait_for(2)
            delivery = wait_for_attempts(bench.client, ref, 1)
    # The lease of the first, twice its timeout, and some time to start.
    assert after.at - killed < 2 * TIMEOUT_S + 3.0
    assert before.headers["webhook-id"] == after.headers["webhook-id"] == delivery.id
    assert before.body == after.body
    assert delivery.state == "delivered"


def test_a_process_that_is_stopped_ends_its_tries_in_peace(
    bench: Bench, redis_url: str, tmp_path: Path
) -> None:
    with Receiver(hang(0.7)) as receiver:
        receiver.behaviour = lambda connection, request: (
            hang(0.7)(connection, request),
            status(200)(connection, request),
        )[1]
        ref = finish_job(bench, receiver.url())
        with process(redis_url, tmp_path / "log") as running:
            receiver.wait_for(1)
            running.send_signal(signal.SIGTERM)
            finish_job(bench, receiver.url("/late"))
            assert running.wait(timeout=5) == 0
    assert deliveries(bench.client, ref)[0].state == "delivered"
    assert len(receiver.requests) == 1


def test_deliveries_go_on_after_redis_was_away(tmp_path: Path) -> None:
    with (
        private_redis(tmp_path / "redis", appendonly=True) as server,
        Receiver(status(500)) as receiver,
        connect(StoreSettings(redis_url=server.url)) as client,
    ):
        bench = Bench(Store(client), client, Keys("limelight"))
        ref = finish_job(bench, receiver.url())
        with process(server.url, tmp_path / "log") as running:
            wait_for_attempts(client, ref, 1)
            server.kill()
            time.sleep(1.0)
            server.start()
            receiver.behaviour = status(200)
            wait_until(lambda: _answers(client))
            make_due(bench)
            assert wait_for_attempts(client, ref, 2).state == "delivered"
            assert running.poll() is None


@pytest.mark.parametrize("harm", [too_few_replicas, demoted, not_allowed])
def test_a_redis_that_takes_no_writes_ends_no_process_and_fills_no_log(
    tmp_path: Path, harm: Callable[[PrivateRedis], AbstractContextManager[None]]
) -> None:
    log = tmp_path / "log"
    with (
        private_redis(tmp_path / "redis", appendonly=True) as server,
        Receiver(status(500)) as receiver,
        connect(StoreSettings(redis_url=server.url)) as client,
    ):
        bench = Bench(Store(client), client, Keys("limelight"))
        ref = finish_job(bench, receiver.url())
        with process(server.url, log) as running:
            wait_for_attempts(client, ref, 1)
            make_due(bench)
            with harm(server):
                time.sleep(3.0)
                assert running.poll() is None
            wait_for_attempts(client, ref, 2)
            receiver.behaviour = status(200)
            make_due(bench)
            wait_until(lambda: deliveries(client, ref)[0].state == "delivered")
    assert log.read_text().count("the store is away, trying again") <= 1


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def test_the_log_names_neither_the_path_of_a_webhook_nor_a_secret(
    bench: Bench, redis_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with (
        Receiver(status(500)) as receiver,
        process(redis_url, log, log_level="DEBUG") as running,
    ):
        ref = finish_job(bench, receiver.url("/canary-path?token=canary"))
        wait_for_attempts(bench.client, ref, 1)
        running.send_signal(signal.SIGTERM)
        running.wait()
    text = log.read_text()
    assert "webhook tried" in text
    assert ref.id in text
    for secret in ("canary", "whsec_", "v1,"):
        assert secret not in text


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("webhook_threads", "1", "LIMELIGHT_WEBHOOK_THREADS"),
        ("webhook_allowed_networks", "10.1.2.3/8", "LIMELIGHT_WEBHOOK_ALLOWED_NETWORKS"),
        ("webhook_ca_file", "/nowhere.pem", "LIMELIGHT_WEBHOOK_CA_FILE"),
        ("tenants_file", "/nowhere.toml", "LIMELIGHT_TENANTS_FILE"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_by_its_name(
    tmp_path: Path, name: str, value: str, told: str
) -> None:
    log = tmp_path / "log"
    with process("redis://127.0.0.1:1/0", log, **{name: value}) as running:
        assert running.wait(timeout=20) == 78
    text = log.read_text()
    assert told in text
    assert "Traceback" not in text
