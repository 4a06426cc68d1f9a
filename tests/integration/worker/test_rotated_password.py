"""The password of Redis is changed while a worker runs: in its file first, or in Redis first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from deploy.demo.redis_server import LOOPBACK, PrivateRedis
from tests.integration.worker.conftest import knows_model, serving_redis, told_from, wait_until
from tests.support.private_redis import private_redis
from tests.support.quadrant_server import QuadrantServer
from tests.unit.fakes import make_job

pytestmark = pytest.mark.integration

USER = "limelight"


class Passwords:
    """A user of Redis, and the file in which our processes find who they are."""

    def __init__(self, server: PrivateRedis, directory: Path) -> None:
        self._server = server
        self.directory = directory
        directory.mkdir()
        self.change_in_redis("one")
        self.change_in_file("one")

    def url(self, password: str) -> str:
        return f"redis://{USER}:{password}@{LOOPBACK}:{self._server.port}/0"

    def change_in_redis(self, password: str) -> None:
        """As ``ACL SETUSER`` does, and end the connections of who knew the old one."""
        with redis.Redis.from_url(self._server.url) as admin:
            admin.execute_command(
                "ACL", "SETUSER", USER, "reset", "on", f">{password}", "~*", "&*", "+@all"
            )
            admin.execute_command("CLIENT", "KILL", "USER", USER)

    def change_in_file(self, password: str) -> None:
        (self.directory / "limelight_redis_url").write_text(self.url(password))


@pytest.fixture
def passwords(tmp_path: Path) -> Iterator[Passwords]:
    with private_redis(tmp_path / "redis", appendonly=True) as server:
        yield Passwords(server, tmp_path / "secrets")


@pytest.mark.parametrize("first", ["file", "redis"])
def test_a_new_password_is_used_without_a_restart_and_no_attempt_is_lost(
    first: str,
    passwords: Passwords,
    start_worker_at,
    model_server: QuadrantServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What the front end has is of this process, and finds the same file.
    monkeypatch.setenv("LIMELIGHT_SECRETS_DIR", str(passwords.directory))
    monkeypatch.delenv("LIMELIGHT_REDIS_URL", raising=False)
    # Blank is not set, so the file counts.
    worker = start_worker_at("", LIMELIGHT_SECRETS_DIR=str(passwords.directory))
    with told_from(worker), serving_redis(passwords.url("one")) as service:
        wait_until(lambda: knows_model(service, worker, "quadrants"), timeout_s=90)
        service.explained(make_job())
        model_server.delay_s = 0.05
        job = service.submit(make_job(options={"samples": 200, "stopping": "fixed"}))
        wait_until(lambda: service.store.get(job.ref).status == "processing", timeout_s=30)
        steps = [passwords.change_in_file, passwords.change_in_redis]
        for change in steps if first == "file" else reversed(steps):
            change("two")
            time.sleep(1.5)
        ended = service.ended(job, timeout_s=30)
        assert (ended.status, ended.attempts) == ("succeeded", 1)
        model_server.delay_s = 0.0
        service.explained(make_job(options={"seed": 5}), timeout_s=30)
    assert worker.process.poll() is None
    log = worker.log.read_text()
    assert "read again" in log
    assert "one@" not in log
    assert "two@" not in log
