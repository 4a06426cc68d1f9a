from __future__ import annotations

import httpx
import pytest
import redis

from tests.support.private_redis import private_redis
from tests.support.web_process import running
from worker.jobs.catalogue import Catalogue, ModelEntry

LABELS = ("tabby", "Egyptian cat", "tiger cat", "espresso", "lynx")
LIMIT = 5_000_000


def publish(redis_url):
    """Say of one model what a worker would."""
    entry = ModelEntry(
        name="lite0",
        state="available",
        version=1,
        signature="serving_default",
        input_size=(224, 224),
        channels=3,
        dtype="float32",
        class_count=len(LABELS),
        labels=LABELS,
    )
    with redis.Redis.from_url(redis_url) as client:
        Catalogue(client).publish([entry], worker="test")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A client of the Redis that ``web`` works with."""
    with (
        private_redis(tmp_path_factory.mktemp("redis")) as server,
        redis.Redis.from_url(server.url) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def web(tmp_path_factory, kept):
    """A client of a web process with one model in its catalogue, over a Redis of its own."""
    address = kept.connection_pool.connection_kwargs
    redis_url = f"redis://{address['host']}:{address['port']}/0"
    publish(redis_url)
    log = tmp_path_factory.mktemp("web") / "web.log"
    with (
        running(redis_url, log, max_upload_bytes=str(LIMIT)) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=20) as client,
    ):
        yield client
