"""Start a Redis of our own, or say why a test that needs one cannot run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.demo.redis_server import (
    PrivateRedis,
    RedisServerError,
    find_redis_server,
    free_port,
)

_HIGHEST_PORT = 65_535


@contextmanager
def private_redis(
    directory: Path,
    *,
    appendonly: bool = False,
    config: Mapping[str, str] | None = None,
    binary: Path | None = None,
    port: int | None = None,
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
    with PrivateRedis(
        directory, port=port, appendonly=appendonly, config=config, binary=binary
    ) as server:
        yield server


@contextmanager
def private_cluster(directory: Path, *, binary: Path | None = None) -> Iterator[PrivateRedis]:
    """Run one that is a cluster by itself, yet without slots."""
    # It listens 10,000 ports higher as well.
    port = next(port for port in iter(free_port, None) if port <= _HIGHEST_PORT - 10_000)
    config = {"cluster-enabled": "yes"}
    with private_redis(directory, config=config, binary=binary, port=port) as server:
        yield server


def messages(queue: str) -> str:
    """Return the list in which kombu keeps a queue's messages of the usual priority."""
    return f"{queue}\x06\x161"
