"""Fixtures for all tests. What needs Redis gets one of its own; none is expected to be there."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
import redis

from deploy.demo.redis_server import PrivateRedis
from tests.support.private_redis import private_redis


def pytest_configure() -> None:
    """Let children be interrupted: a shell starts what runs in its background deaf to Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    """One private redis-server for the session. Tests that kill Redis start another themselves."""
    with private_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: PrivateRedis) -> Iterator[str]:
    """Address of the session's Redis, emptied before and after the test."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        yield redis_server.url
        client.flushall()
