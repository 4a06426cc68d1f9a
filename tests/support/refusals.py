"""Make a private Redis refuse, as deployments bring it about, and serve again after the block."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from deploy.demo.redis_server import LOOPBACK, PrivateRedis

# Where no primary is: a replica of it keeps what it has.
_NOWHERE = 1


@contextmanager
def too_few_replicas(server: PrivateRedis) -> Iterator[None]:
    """Let it want a replica that there is not."""
    with redis.Redis.from_url(server.url) as admin:
        admin.config_set("min-replicas-to-write", 1)
        try:
            yield
        finally:
            admin.config_set("min-replicas-to-write", 0)


@contextmanager
def demoted(server: PrivateRedis) -> Iterator[None]:
    """Make it a replica, and promote it again."""
    with redis.Redis.from_url(server.url) as admin:
        admin.replicaof(LOOPBACK, _NOWHERE)
        try:
            yield
        finally:
            admin.replicaof("NO", "ONE")


@contextmanager
def demoted_and_silent(server: PrivateRedis) -> Iterator[None]:
    """Make it a replica that does not even read without its primary."""
    with redis.Redis.from_url(server.url) as admin:
        admin.config_set("replica-serve-stale-data", "no")
        try:
            with demoted(server):
                yield
        finally:
            admin.config_set("replica-serve-stale-data", "yes")


@contextmanager
def unable_to_save(server: PrivateRedis) -> Iterator[None]:
    """Take its folder away, so that a snapshot fails."""
    with redis.Redis.from_url(server.url) as admin:
        shutil.rmtree(server.directory)
        admin.config_set("save", "1 1")
        admin.incr("limelight::change")
        give_up = time.monotonic() + 20
        while admin.info("persistence")["rdb_last_bgsave_status"] == "ok":
            if time.monotonic() > give_up:
                raise TimeoutError("no snapshot was tried, or it did not fail")
            time.sleep(0.05)
        try:
            yield
        finally:
            server.directory.mkdir()
            admin.config_set("save", "")
            admin.config_set("stop-writes-on-bgsave-error", "no")


@contextmanager
def not_allowed(server: PrivateRedis, right: str = "@write") -> Iterator[None]:
    """Take a right from its users, that to write unless another is given."""
    with redis.Redis.from_url(server.url) as admin:
        admin.execute_command("ACL", "SETUSER", "default", f"-{right}")
        try:
            yield
        finally:
            admin.execute_command("ACL", "SETUSER", "default", "+@all")


@contextmanager
def full(server: PrivateRedis) -> Iterator[None]:
    """Leave it no memory."""
    with redis.Redis.from_url(server.url) as admin:
        admin.config_set("maxmemory", 1)
        try:
            yield
        finally:
            admin.config_set("maxmemory", 0)
