"""Polls beside a hundred open event streams: how long the slowest of them take.

The web process runs as it is shipped, with 2 processes of 8 threads. The streams are on ten jobs,
and each of these reports its progress as often as a worker does.
"""

from __future__ import annotations

import io
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
from PIL import Image

from tests.bench.figure import Figure
from tests.bench.load import Connection, Target
from tests.integration.web.conftest import publish
from tests.support.private_redis import private_redis
from tests.support.web_process import running
from worker.jobs.connection import connect
from worker.jobs.job import JobRef, Progress
from worker.jobs.settings import StoreSettings
from worker.jobs.store import Claim, Store

STREAMS = 100
JOBS = 10
REPORT_S = 0.3
POLLERS = 4
POLLS_A_SECOND = 200
SECONDS = 8.0


def measure() -> Iterator[Figure]:
    """Poll at a steady rate, first with no stream open and then beside a hundred."""
    with tempfile.TemporaryDirectory(prefix="limelight-bench-") as name, ExitStack() as cleanup:
        directory = Path(name)
        server = cleanup.enter_context(private_redis(directory / "redis", appendonly=True))
        publish(server.url)
        url = cleanup.enter_context(
            running(server.url, directory / "web.log", web_workers="2", web_threads="8")
        )
        client = cleanup.enter_context(connect(StoreSettings(redis_url=server.url)))
        store = Store(client)
        claims = [store.claim(ref, worker="bench", lease_s=300) for ref in _submit(url)]
        poll = f"{url}/v1/explanations/{claims[0].job.ref.id}"
        cleanup.enter_context(_reporting(store, claims))
        yield from _figures("no event stream", _poll(poll), goal=None)
        cleanup.enter_context(_listening(url, [claim.job.ref for claim in claims]))
        yield from _figures(f"{STREAMS} open event streams", _poll(poll), goal=50.0)


def _figures(beside: str, seconds: list[float], *, goal: float | None) -> Iterator[Figure]:
    for share, name in ((50, "median"), (99, "p99")):
        yield Figure(
            name=f"{POLLS_A_SECOND} polls a second beside {beside}, {name}",
            value=float(np.percentile(seconds, share)) * 1e3,
            unit="ms",
            goal=goal if share == 99 else None,
        )
    print(f"# {len(seconds)} polls", file=sys.stderr)


def _submit(url: str) -> list[JobRef]:
    picture = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(picture, "PNG")
    answers = [
        httpx.post(
            f"{url}/v1/explanations", files={"image": picture.getvalue()}, trust_env=False
        ).raise_for_status()
        for _ in range(JOBS)
    ]
    return [JobRef("default", answer.json()["id"]) for answer in answers]


def _poll(url: str) -> list[float]:
    """Seconds that each poll took, counted from when it was due: waiting in line counts."""
    every_s = POLLERS / POLLS_A_SECOND

    def one(number: int) -> list[float]:
        connection = Connection(Target(url=url, expect=200))
        connection.median_s(20)
        taken, due = [], time.perf_counter() + number * every_s / POLLERS
        until = due + SECONDS
        while due < until:
            time.sleep(max(0.0, due - time.perf_counter()))
            connection.median_s(1)
            taken.append(time.perf_counter() - due)
            due += every_s
        connection.close()
        return taken

    with ThreadPoolExecutor(POLLERS) as pool:
        return [seconds for taken in pool.map(one, range(POLLERS)) for seconds in taken]


@contextmanager
def _reporting(store: Store, claims: list[Claim]) -> Iterator[None]:
    """Report progress of each job, as workers would."""
    stop = threading.Event()

    def report() -> None:
        done = 0
        while not stop.wait(REPORT_S):
            done += 16
            progress = Progress(stage="sampling", samples_done=done, samples_limit=100_000)
            for claim in claims:
                store.report(claim, progress)

    thread = threading.Thread(target=report)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def _listening(url: str, refs: list[JobRef]) -> Iterator[None]:
    """Keep the streams open; what they say stays in the kernel's buffers until it is dropped."""
    where = urlsplit(url)
    opened: list[socket.socket] = []
    try:
        for number in range(STREAMS):
            listener = socket.create_connection((where.hostname, where.port), timeout=10)
            opened.append(listener)
            path = f"/v1/explanations/{refs[number % JOBS].id}/events"
            listener.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            if b" 200 " not in listener.recv(65_536):
                raise RuntimeError("a stream was not opened")
        yield
    finally:
        for listener in opened:
            listener.close()
