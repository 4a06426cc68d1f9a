"""Start a Redis of our own, or say why a test that needs one cannot run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.demo.redis_server import PrivateRedis, RedisServerError, find_redis_server


@contextmanager
def private_redis(
    directory: Path,
    *,
    appendonly: bool = False,
    config: Mapping[str, str] | None = None,
    binary: Path | None = None,
) -> Iterator[PrivateRedis]:
    """Run a redis-server on a free loopback port; it is ended by pid.

    Without a binary the test is skipped on a developer's machine, and fails where ``CI=true``:
    there a missing Redis is a mistake of ours and must not pass for success.
    """
    try:
        binary = binary or find_redis_server()
    except RedisServerError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
    with PrivateRedis(directory, appendonly=appendonly, config=config, binary=binary) as server:
        yield server


def messages(queue: str) -> str:
    """Return the list in which kombu keeps a queue's messages of the usual priority."""
    return f"{queue}\x06\x161"
