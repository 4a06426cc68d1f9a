"""A client that stalls holds its thread for a while, and nobody else up."""

from __future__ import annotations

import http.client
import io
import socket
import time
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.integration.web.conftest import publish
from tests.support import pictures
from tests.support.private_redis import private_redis
from tests.support.requests import MULTIPART, form
from tests.support.web_process import running

pytestmark = pytest.mark.integration

PATIENCE_S = 1.0
THREADS = 2
ASKED = b"GET /v2/health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HEAD = b"POST /v1/explanations HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    directory = tmp_path_factory.mktemp("slow")
    with private_redis(directory / "redis") as server:
        publish(server.url)
        settings = {"web_threads": str(THREADS), "web_patience_s": str(PATIENCE_S)}
        with running(server.url, directory / "web.log", **settings) as url:
            yield url


@contextmanager
def connected(url, *, buffer=None):
    with socket.socket() as connection:
        if buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.settimeout(30)
        connection.connect((urlsplit(url).hostname, urlsplit(url).port))
        yield connection


def seconds_until_served(url):
    began = time.monotonic()
    assert httpx.get(f"{url}/v1/models", trust_env=False, timeout=60).is_success
    return time.monotonic() - began


def is_open(connection):
    try:
        connection.send(b"x")
    except OSError:
        return False
    return True


def all_of(connection):
    received = b""
    while data := connection.recv(65_536):
        received += data
    return received


@pytest.mark.parametrize("first", [b"", ASKED], ids=["at first", "after a request"])
def test_half_a_head_takes_no_thread(url, first):
    with ExitStack() as open_ones:
        stalled = [open_ones.enter_context(connected(url)) for _ in range(20)]
        for connection in stalled:
            connection.sendall(first)
            if first:
                assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
            connection.sendall(HEAD)
        assert seconds_until_served(url) < PATIENCE_S


def test_half_a_head_is_dropped_in_the_end(url):
    with connected(url) as connection:
        connection.sendall(HEAD)
        began = time.monotonic()
        with pytest.raises(ConnectionResetError):
            all_of(connection)
        assert PATIENCE_S / 2 < time.monotonic() - began < 5 * PATIENCE_S


@pytest.mark.parametrize("piece", [5, 25, len(ASKED) - 1])
def test_a_head_in_pieces_is_put_together(url, piece):
    with connected(url) as connection:
        for start in range(0, len(ASKED), piece):
            connection.sendall(ASKED[start : start + piece])
            time.sleep(0.01)
        for _ in range(2):
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.status == 200
            answer.read()
            connection.sendall(ASKED)


def test_half_a_head_with_nothing_to_follow_ends_at_once(url):
    with connected(url) as connection:
        connection.sendall(HEAD)
        time.sleep(0.1)
        began = time.monotonic()
        connection.shutdown(socket.SHUT_WR)
        all_of(connection)
        assert time.monotonic() - began < PATIENCE_S / 2


@pytest.mark.parametrize(
    "half",
    [
        HEAD + f"Content-Type: {MULTIPART}\r\nContent-Length: 5000\r\n\r\n--".encode(),
        HEAD + f"Content-Type: {MULTIPART}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n--".encode(),
    ],
    ids=["body", "chunks"],
)
def test_half_a_body_on_every_thread_holds_nobody_up(url, half):
    with ExitStack() as open_ones:
        stalled = [open_ones.enter_context(connected(url)) for _ in range(2 * THREADS)]
        for connection in stalled:
            connection.sendall(half)
        time.sleep(0.2)
        assert seconds_until_served(url) < 6 * PATIENCE_S
        for connection in stalled:
            answer = all_of(connection)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


def test_connections_on_which_nothing_is_asked_hold_nobody_up(url):
    with ExitStack() as open_ones:
        for _ in range(20):
            open_ones.enter_context(connected(url))
        assert seconds_until_served(url) < 2


def test_a_connection_may_wait_a_while_before_it_asks(url):
    with connected(url) as connection:
        time.sleep(PATIENCE_S / 2)
        connection.sendall(b"GET /v2/health/live HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        assert all_of(connection).startswith(b"HTTP/1.0 200 ")


def test_an_answer_that_nobody_reads_holds_nobody_up(url):
    noise = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3), dtype=np.uint8)
    image = io.BytesIO()
    Image.fromarray(noise).save(image, "PNG", compress_level=1)
    job = httpx.post(
        f"{url}/v1/explanations", files={"image": image.getvalue()}, trust_env=False, timeout=60
    ).json()
    asked = f"GET {job['links']['image']} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    with ExitStack() as open_ones:
        deaf = [open_ones.enter_context(connected(url, buffer=4096)) for _ in range(THREADS)]
        for connection in deaf:
            connection.sendall(asked)
        time.sleep(0.2)
        assert seconds_until_served(url) < 6 * PATIENCE_S


def test_clients_that_do_not_close_after_their_answer_hold_nobody_up(url):
    with ExitStack() as open_ones:
        answered = [open_ones.enter_context(connected(url)) for _ in range(20)]
        for connection in answered:
            connection.sendall(b"GET /v2/health/live HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        assert seconds_until_served(url) < 2
        for connection in answered:
            assert all_of(connection).startswith(b"HTTP/1.0 200 ")
        # Now the service has closed its side; within a while it closes the connection as well.
        until = time.monotonic() + 10
        while any(is_open(connection) for connection in answered):
            assert time.monotonic() < until
            time.sleep(0.1)


def test_what_comes_after_an_answer_does_not_lose_it(url):
    with connected(url) as connection:
        connection.sendall(b"GET /v2/health/live HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        time.sleep(0.5)
        connection.sendall(b"more" * 10_000)
        assert all_of(connection).startswith(b"HTTP/1.0 200 ")


def test_a_slow_client_that_keeps_sending_is_served(url):
    body = form(pictures.png() + b"\0" * 100_000)
    head = f"Content-Type: {MULTIPART}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with connected(url) as connection:
        connection.sendall(HEAD + head.encode())
        for start in range(0, len(body), 10_000):
            time.sleep(0.2)
            connection.sendall(body[start : start + 10_000])
        answer = all_of(connection)
    assert answer.startswith(b"HTTP/1.1 202 "), answer[:500]


def test_who_waits_with_a_refused_body_is_answered_at_once(url):
    head = f"Content-Type: {MULTIPART}\r\nContent-Length: 9999999999\r\n\r\n--".encode()
    with connected(url) as connection:
        began = time.monotonic()
        connection.sendall(HEAD + head)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")
        assert time.monotonic() - began < 5
