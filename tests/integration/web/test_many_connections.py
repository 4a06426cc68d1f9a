"""More connections than a process may keep: who has something to ask gets an answer."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration.web.conftest import publish
from tests.support import pictures
from tests.support.private_redis import private_redis
from tests.support.web_process import running

pytestmark = pytest.mark.integration

# A process keeps a thousand, and from nine hundred on makes room.
CROWD = 920
MODELS = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
REFUSED = b"POST /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n{"
USUAL_FILES = 1024


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    with private_redis(tmp_path_factory.mktemp("redis")) as server:
        publish(server.url)
        yield server.url


@contextmanager
def serving(redis_url, directory, **settings):
    """Run one process; its URL, and where its log is."""
    log = directory / "web.log"
    with running(redis_url, log, web_patience_s="60", **settings) as url:
        yield url, log


def process_ids(log):
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    booted = [line["event"] for line in lines if line["event"].startswith("Booting worker")]
    return [int(event.rpartition(" ")[2]) for event in booted]


@contextmanager
def connected(url, count):
    address = urlsplit(url).hostname, urlsplit(url).port
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(address, timeout=30)) for _ in range(count)
        ]


def asks(url, count=3):
    with connected(url, count) as new:
        for connection in new:
            connection.sendall(MODELS)
        return [connection.recv(15) for connection in new]


def is_open(connection):
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_who_begins_to_ask_while_another_connects_does_not_end_the_process(redis_url, tmp_path):
    with serving(redis_url, tmp_path) as (url, log), connected(url, CROWD) as idle:
        assert asks(url) == [b"HTTP/1.1 200 OK"] * 3
        [process_id] = process_ids(log)
        os.kill(process_id, signal.SIGSTOP)
        while "State:\tT" not in Path(f"/proc/{process_id}/status").read_text():
            time.sleep(0.01)
        with connected(url, 5):
            for connection in [one for one in idle if is_open(one)][:10]:
                connection.send(b"G")
            os.kill(process_id, signal.SIGCONT)
            assert asks(url) == [b"HTTP/1.1 200 OK"] * 3
        assert process_ids(log) == [process_id]


@pytest.mark.parametrize("asked", [MODELS, REFUSED], ids=["kept alive", "refused"])
def test_who_was_answered_makes_room_for_who_asks(redis_url, tmp_path, asked):
    with serving(redis_url, tmp_path) as (url, _), connected(url, CROWD) as answered:
        for connection in answered:
            connection.sendall(asked)
        for connection in answered:
            # None is ever reset while it waits for its own answer.
            assert connection.recv(9) == b"HTTP/1.1 "
        for _ in range(20):
            assert asks(url) == [b"HTTP/1.1 200 OK"] * 3


def test_connections_and_streams_beyond_the_usual_limit_of_files(redis_url, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL_FILES, before[1]))
    with ExitStack() as stack:
        try:
            url, log = stack.enter_context(serving(redis_url, tmp_path))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        job = httpx.post(
            f"{url}/v1/explanations", files={"image": pictures.png()}, trust_env=False, timeout=60
        ).json()
        streams = stack.enter_context(connected(url, 300))
        for connection in streams:
            path = job["links"]["events"].encode()
            connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        for connection in streams:
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
        stack.enter_context(connected(url, CROWD))
        assert asks(url) == [b"HTTP/1.1 200 OK"] * 3
        assert len(process_ids(log)) == 1


def test_an_idle_connection_does_not_keep_a_process_from_ending(redis_url, tmp_path):
    with ExitStack() as stack:
        with serving(redis_url, tmp_path) as (url, _):
            stack.enter_context(connected(url, 3))[0].sendall(b"GET /v1")
            assert asks(url) == [b"HTTP/1.1 200 OK"] * 3
            began = time.monotonic()
        assert time.monotonic() - began < 15
