from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tests.support.records import Bench
from worker.jobs.connection import connect
from worker.jobs.keys import Keys
from worker.jobs.settings import StoreSettings
from worker.jobs.store import Store
from worker.webhooks.outbox import Outbox


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with connect(StoreSettings(redis_url=redis_url)) as client:
        yield client


@pytest.fixture
def bench(client: redis.Redis) -> Bench:
    return Bench(Store(client), client, Keys("limelight"))


@pytest.fixture
def outbox(client: redis.Redis) -> Outbox:
    return Outbox(client)
