"""How many requests two web processes serve, and how long polls take beside event streams.

The generator, both processes and Redis share the machine's cores.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import httpx
import numpy as np

from deploy.demo.signals import StopSignals
from tests.bench.figure import Figure
from tests.bench.http_cost import jpeg_of
from tests.bench.load import Connection, Target, multipart
from tests.bench.servers import running_servers

PROCESSES = 2
SECONDS = 5.0
ROUNDS = 3
POLLERS, POSTERS = 8, 4
POLLS_PER_S = 200
STREAMS = 100
EXPLANATIONS = "/v1/explanations"


def measure() -> Iterator[Figure]:
    """POST, poll as fast as it goes, then poll at the promised rate beside open streams."""
    upload = jpeg_of(100_000, width=1000, grain=2)
    with StopSignals() as signals, running_servers(signals, processes=PROCESSES) as servers:
        jobs = [_submitted(servers.ours, upload) for _ in range(STREAMS)]
        poll = Target(url=servers.ours + jobs[0], expect=200)
        yield from _rates(servers.ours, upload, poll)
        yield _latency("", poll)
        with _open_streams(servers.ours, jobs):
            yield _latency(f" beside {STREAMS} open event streams", poll, goal=50.0)


def _submitted(address: str, upload: bytes) -> str:
    answer = httpx.post(
        address + EXPLANATIONS, files={"image": upload}, trust_env=False, timeout=30
    )
    return str(answer.raise_for_status().headers["Location"])


def _rates(address: str, upload: bytes, poll: Target) -> Iterator[Figure]:
    body, headers = multipart(upload)
    url = address + EXPLANATIONS
    post = Target(url=url, method="POST", body=body, headers=headers, expect=202)
    name = f"POSTs of a {len(upload) / 1e3:.0f} kB JPEG, {PROCESSES} processes"
    for what, target, connections, goal in (
        (name, post, POSTERS, 30.0),
        (f"polls, {PROCESSES} processes", poll, POLLERS, 200.0),
    ):
        sent = sum(map(len, _at_once(target, connections, _without_pause)))
        yield Figure(name=what, value=sent / SECONDS, unit="1/s", goal=goal, goal_is="at least")


def _latency(beside: str, poll: Target, *, goal: float | None = None) -> Figure:
    rounds = [np.concatenate(_at_once(poll, POLLERS, _at_a_rate)) for _ in range(ROUNDS)]
    return Figure(
        name=f"{POLLS_PER_S} polls a second{beside}, p99, median of {ROUNDS} rounds",
        value=float(np.median([np.quantile(taken, 0.99) for taken in rounds])) * 1e3,
        unit="ms",
        goal=goal,
    )


def _at_once(
    target: Target, count: int, send: Callable[[Connection, float, int], list[float]]
) -> list[list[float]]:
    """Send on several connections at a time; the seconds that each request took, by connection."""
    connections = [Connection(target) for _ in range(count)]
    try:
        for connection in connections:
            connection.send()
        started = time.perf_counter()
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(send, connections, [started] * count, range(count)))
    finally:
        for connection in connections:
            connection.close()


def _without_pause(connection: Connection, started: float, _number: int) -> list[float]:
    taken = []
    while time.perf_counter() < started + SECONDS:
        taken.append(connection.send())
    return taken


def _at_a_rate(connection: Connection, started: float, number: int) -> list[float]:
    """Send at fixed moments; what is sent late counts from its moment, so no stall is hidden."""
    pause = POLLERS / POLLS_PER_S
    taken = []
    moment = started + number * pause / POLLERS
    while moment < started + SECONDS:
        time.sleep(max(0.0, moment - time.perf_counter()))
        connection.send()
        taken.append(time.perf_counter() - moment)
        moment += pause
    return taken


@contextmanager
def _open_streams(address: str, jobs: Sequence[str]) -> Iterator[None]:
    """Follow every job by a connection of its own, and see in the end that all were followed."""
    with ExitStack() as connections:
        streams = [connections.enter_context(_stream(address, job)) for job in jobs]
        yield
        for stream in streams:
            stream.setblocking(False)
            try:
                while data := stream.recv(65_536):
                    pass
            except BlockingIOError:
                continue
            raise RuntimeError(f"an event stream ended before its job: {data!r}")


@contextmanager
def _stream(address: str, job: str) -> Iterator[socket.socket]:
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        head = f"GET {job}/events HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
        connection.sendall(head.encode())
        answer = b""
        while b"retry:" not in answer:
            data = connection.recv(65_536)
            if not data:
                raise RuntimeError(f"no event stream: {answer!r}")
            answer += data
        yield connection
