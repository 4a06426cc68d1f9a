"""Clients that are slow, with a key or without one, hold nobody else up, and no probe at all."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import redis
from PIL import Image

from tests.integration.web.conftest import publish
from tests.support import pictures
from tests.support.private_redis import private_redis
from tests.support.requests import MULTIPART
from tests.support.web_process import running
from web.keys import KeyStore
from web.principal import scopes_of

pytestmark = pytest.mark.integration

PATIENCE_S = 4.0
THREADS = 2
SLOW = 10 * THREADS
SOON_S = 1.0
PREFIX = "/explain"
LIVE, READY, MODELS = "/v2/health/live", "/v2/health/ready", "/v1/models"


@dataclass
class Service:
    """A running service, a key for it, and the job of an image of some megabytes."""

    url: str
    key: str
    image: str
    redis_pid: int

    @property
    def bearer(self):
        return {"Authorization": f"Bearer {self.key}"}

    def head(self, method, path, *lines, with_key=True):
        every = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *lines]
        if with_key:
            every.append(f"Authorization: Bearer {self.key}")
        return "\r\n".join([*every, "", ""]).encode()

    def seconds(self, path):
        began = time.monotonic()
        answer = httpx.get(self.url + path, headers=self.bearer, trust_env=False, timeout=60)
        assert answer.is_success, answer.text
        return time.monotonic() - began

    @contextmanager
    def connected(self, count=1, *, buffer=None):
        with ExitStack() as stack:
            made = [stack.enter_context(socket.socket()) for _ in range(count)]
            for connection in made:
                if buffer is not None:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
                connection.settimeout(30)
                connection.connect((urlsplit(self.url).hostname, urlsplit(self.url).port))
            yield made


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    directory = tmp_path_factory.mktemp("slow")
    with (
        private_redis(directory / "redis") as server,
        redis.Redis.from_url(server.url) as client,
    ):
        publish(server.url)
        key, _ = KeyStore(client).create(
            tenant="acme", scopes=scopes_of(["submit", "read"]), expires_in_s=None
        )
        settings = {
            "web_threads": str(THREADS),
            "web_patience_s": str(PATIENCE_S),
            "public_url": f"http://example.org{PREFIX}",
        }
        with running(server.url, directory / "web.log", **settings) as url:
            noise = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3), dtype=np.uint8)
            made = httpx.post(
                f"{url}/v1/explanations",
                files={"image": pictures.encoded(Image.fromarray(noise), compress_level=1)},
                headers={"Authorization": f"Bearer {key}"},
                trust_env=False,
                timeout=60,
            )
            image = made.raise_for_status().json()["links"]["image"]
            pid = int(client.info("server")["process_id"])
            yield Service(url, key, image, pid)


@contextmanager
def every(pause_s, step, connections):
    """Take a step with each connection again and again, in a thread, until the block ends."""

    def go_on():
        while not over.wait(pause_s):
            for connection in connections:
                try:
                    step(connection)
                except OSError:
                    continue

    over = threading.Event()
    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def drip(connection):
    connection.send(b"1")


def is_open(connection):
    try:
        drip(connection)
    except OSError:
        return False
    return True


def sip(connection):
    connection.recv(2_500)


JSON = ("Content-Type: application/json", "Content-Length: 100000")
FORM = (f"Content-Type: {MULTIPART}", "Content-Length: 100000")
CHUNKS = ("Content-Type: application/json", "Transfer-Encoding: chunked")
POST = ("POST", "/v1/explanations")
BODIES = {
    "JSON": (*POST, *JSON),
    "a form": (*POST, *FORM),
    "a chunk's length": (*POST, *CHUNKS),
    "where none is wanted": ("GET", MODELS, *JSON),
    "of a probe": ("GET", LIVE, *JSON),
    "to no path": ("POST", "/nowhere", *JSON),
}


@pytest.mark.parametrize("body", BODIES)
def test_bodies_that_drip_hold_nobody_up(service, body):
    head = service.head(*BODIES[body])
    with service.connected(SLOW) as slow:
        for connection in slow:
            connection.sendall(head)
        with every(0.2, drip, slow):
            for _ in range(3):
                for path in (LIVE, READY, MODELS):
                    assert service.seconds(path) < SOON_S
                time.sleep(0.3)


@pytest.mark.parametrize("lines", [JSON, FORM, CHUNKS], ids=["JSON", "a form", "chunks"])
def test_a_body_without_a_key_is_refused_before_it_has_come(service, lines):
    with service.connected(SLOW) as slow:
        began = time.monotonic()
        for connection in slow:
            connection.sendall(service.head(*POST, *lines, with_key=False))
        with every(0.2, drip, slow):
            for connection in slow:
                answer = connection.recv(65_536)
                assert answer.startswith(b"HTTP/1.1 401 ")
                assert b"\r\nConnection: close\r\n" in answer
            assert time.monotonic() - began < SOON_S
            # It is not kept for what may still come.
            until = time.monotonic() + 10
            while any(is_open(connection) for connection in slow):
                assert time.monotonic() < until
                time.sleep(0.1)


def test_a_connection_is_kept_whose_refused_body_has_come(service):
    body = b"{}"
    asked = service.head(*POST, "Content-Type: text/plain", f"Content-Length: {len(body)}") + body
    with service.connected() as [connection]:
        for _ in range(3):
            connection.sendall(asked)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.status == 415
            assert answer.headers["Connection"] == "keep-alive"
            answer.read()


def test_who_sends_all_of_a_refused_body_gets_the_answer(service):
    asked = service.head(*POST, "Content-Type: image/png", "Content-Length: 5000000")
    with service.connected() as [connection]:
        connection.sendall(asked)
        for _ in range(50):
            connection.sendall(b"x" * 100_000)
            time.sleep(0.01)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 415 ")


def test_readers_of_a_large_answer_hold_nobody_up(service):
    with service.connected(SLOW, buffer=4096) as slow:
        for connection in slow:
            connection.sendall(service.head("GET", service.image))
        with every(0.1, sip, slow):
            time.sleep(1)
            for _ in range(5):
                for path in (LIVE, READY, MODELS):
                    assert service.seconds(path) < SOON_S
                time.sleep(0.3)
        # None was cut off, either.
        assert all(connection.recv(65_536) for connection in slow)


@pytest.mark.parametrize("buffer", [None, 65_536])
def test_who_reads_60_kb_a_second_is_not_cut_off(service, buffer):
    with service.connected(buffer=buffer) as [connection]:
        connection.sendall(service.head("GET", service.image))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        began, read = time.monotonic(), 0
        while time.monotonic() - began < 3 * PATIENCE_S:
            read += len(answer.read1(6_000))
            time.sleep(max(0, began + read / 60_000 - time.monotonic()))
        # What the client's own kernel had taken by then would come in any case.
        assert read + len(answer.read()) == int(answer.headers["Content-Length"]) > 10_000_000


@pytest.mark.parametrize("path", [LIVE, f"{PREFIX}{LIVE}", f"{LIVE}?probe=1"])
def test_the_process_is_live_while_every_thread_waits_for_redis(service, path):
    os.kill(service.redis_pid, signal.SIGSTOP)
    try:
        with service.connected(SLOW) as waiting:
            for connection in waiting:
                connection.sendall(service.head("GET", service.image))
            time.sleep(0.2)
            assert service.seconds(path) < SOON_S
    finally:
        os.kill(service.redis_pid, signal.SIGCONT)
    assert service.seconds(MODELS) < 30


def test_connections_on_which_nothing_is_asked_keep_no_new_one_out(service):
    # gunicorn accepts no more than a thousand at a time.
    with service.connected(1_500):
        assert service.seconds(LIVE) < SOON_S
        assert service.seconds(MODELS) < SOON_S
