"""Event streams through real gunicorn, whose threads must not wait with the listeners."""

from __future__ import annotations

import contextlib
import json
import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.integration.web.conftest import publish
from tests.support import pictures
from tests.support.private_redis import private_redis
from tests.support.web_process import running
from worker.jobs.connection import connect
from worker.jobs.job import JobRef, Progress
from worker.jobs.settings import StoreSettings
from worker.jobs.store import Store

pytestmark = pytest.mark.integration

URL = "/v1/explanations"
PNG = pictures.png()
THREADS = 2


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory):
    with private_redis(tmp_path_factory.mktemp("redis")) as server:
        publish(server.url)
        yield server


@pytest.fixture(scope="module")
def web(redis_server, tmp_path_factory):
    """A web process with few threads."""
    log = tmp_path_factory.mktemp("web") / "web.log"
    with running(redis_server.url, log, web_threads=str(THREADS), web_streams="60") as url:
        yield url


@pytest.fixture
def client(web):
    with httpx.Client(base_url=web, trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture
def store(redis_server):
    with connect(StoreSettings(redis_url=redis_server.url)) as connection:
        yield Store(connection)


def submit(client):
    answer = client.post(URL, files={"image": PNG})
    assert answer.status_code == 202
    return JobRef("default", answer.json()["id"])


def events_of(client, ref):
    return f"{URL}/{ref.id}/events"


def read_event(lines):
    """Return the next event; comments and the time to wait are passed over."""
    event = {}
    for line in lines:
        if line and not line.startswith((":", "retry")):
            name, _, value = line.partition(": ")
            event[name] = value
        elif not line and event:
            return {**event, "data": json.loads(event["data"])}
    return None


class Raw:
    """A listener byte by byte."""

    def __init__(self, client, ref, *, version="1.1", headers=""):
        self.socket = socket.create_connection((client.base_url.host, client.base_url.port), 10)
        head = f"GET {events_of(client, ref)} HTTP/{version}\r\nHost: localhost\r\n{headers}\r\n"
        self.socket.sendall(head.encode())
        self.seen = b""

    def until(self, end):
        while end not in self.seen:
            more = self.socket.recv(65_536)
            assert more, self.seen
            self.seen += more
        return self.seen

    def rest(self):
        while more := self.socket.recv(65_536):
            self.seen += more
        return self.seen

    def close(self):
        self.socket.close()


def test_a_job_is_followed_to_its_end(client, store):
    ref = submit(client)
    with client.stream("GET", events_of(client, ref)) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        # Or a client could send its next request into a connection that is being closed.
        assert answer.headers["Connection"] == "close"
        lines = answer.iter_lines()
        assert read_event(lines)["event"] == "queued"
        claim = store.claim(ref, worker="w", lease_s=30)
        assert read_event(lines)["data"]["attempts"] == 1
        store.report(claim, Progress(stage="sampling", samples_done=64, samples_limit=100))
        told = read_event(lines)
        assert told["data"]["progress"]["samples_done"] == 64
        store.cancel(claim)
        last = read_event(lines)
        assert last["event"] == "canceled"
        assert last["data"] == client.get(f"{URL}/{ref.id}").json()
        assert read_event(lines) is None
    # The end was that of a whole answer, and the next request finds the service as before.
    assert client.get(f"{URL}/{ref.id}").status_code == 200


def test_a_listener_that_was_cut_off_goes_on_where_it_was(client, store):
    ref = submit(client)
    with client.stream("GET", events_of(client, ref)) as answer:
        seen = read_event(answer.iter_lines())["id"]
    store.claim(ref, worker="w", lease_s=30)
    headers = {"Last-Event-ID": seen}
    with client.stream("GET", events_of(client, ref), headers=headers) as answer:
        assert read_event(answer.iter_lines())["event"] == "processing"


def test_an_older_client_gets_the_stream_without_chunks(client, store):
    ref = submit(client)
    listener = Raw(client, ref, version="1.0")
    head = listener.until(b"event: queued").lower()
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    store.request_cancel(ref)
    assert listener.rest().endswith(b"\n\n")
    listener.close()


def test_listeners_that_wait_leave_every_thread_to_the_others(client, store):
    ref = submit(client)
    listeners = [Raw(client, ref) for _ in range(40)]
    for listener in listeners:
        listener.until(b"event: queued")
    times = []
    for _ in range(100):
        started = time.perf_counter()
        assert client.get(f"{URL}/{ref.id}").status_code == 200
        times.append(time.perf_counter() - started)
    # 40 listeners hold none of the two threads; how fast it is is measured by the bench.
    assert statistics.median(times) < 0.1
    store.request_cancel(ref)
    for listener in listeners:
        assert listener.rest().endswith(b"0\r\n\r\n")
        assert b"event: canceled" in listener.seen
        listener.close()


def test_listeners_that_leave_make_room_at_once(client):
    ref = submit(client)
    listeners = [Raw(client, ref) for _ in range(60)]
    for listener in listeners:
        listener.until(b"event: queued")
    assert client.get(events_of(client, ref)).status_code == 503
    for listener in listeners:
        listener.close()
    until = time.monotonic() + 5
    while True:
        with client.stream("GET", events_of(client, ref)) as answer:
            if answer.status_code == 200:
                break
        assert time.monotonic() < until, "listeners that left still count"


def test_a_stream_is_authorized_as_a_poll(client):
    for path in (f"{URL}/exp_{'0' * 32}", f"{URL}/exp_{'0' * 32}/events"):
        assert client.get(path).status_code == 404
    ref = submit(client)
    headers = {"Authorization": f"Bearer ll_{'0' * 12}_{'A' * 43}"}
    for path in (f"{URL}/{ref.id}", events_of(client, ref)):
        assert client.get(path, headers=headers).status_code == 401


def test_shutting_down_ends_streams_as_whole_answers(redis_server, tmp_path):
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(running(redis_server.url, tmp_path / "web.log"))
        client = stack.enter_context(httpx.Client(base_url=url, trust_env=False, timeout=20))
        ref = submit(client)
        listener = Raw(client, ref)
        listener.until(b"event: queued")
        with ThreadPoolExecutor(1) as pool:
            rest = pool.submit(listener.rest)
            started = time.monotonic()
            client.close()
            stack.close()
            assert rest.result(timeout=20).endswith(b"0\r\n\r\n")
        assert time.monotonic() - started < 10
        listener.close()
    said = (tmp_path / "web.log").read_text()
    assert "Traceback" not in said
    assert '"level": "error"' not in said


def test_while_redis_is_away_streams_wait_and_then_go_on(tmp_path):
    with private_redis(tmp_path / "redis", appendonly=True) as server:
        publish(server.url)
        with (
            running(server.url, tmp_path / "web.log") as url,
            httpx.Client(base_url=url, trust_env=False, timeout=20) as client,
        ):
            ref = submit(client)
            listener = Raw(client, ref)
            listener.until(b"event: queued")
            server.kill()
            time.sleep(0.5)
            server.start()
            with connect(StoreSettings(redis_url=server.url)) as connection:
                Store(connection).request_cancel(ref)
            assert b"event: canceled" in listener.rest()
            listener.close()
