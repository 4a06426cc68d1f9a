"""The web process as it is shipped over a Redis of its own; no worker, no model server."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from deploy.demo.client import Service
from deploy.demo.processes import Guard, Processes
from deploy.demo.redis_server import LOOPBACK, PrivateRedis, free_port
from deploy.demo.signals import StopSignals
from worker.jobs.catalogue import Catalogue, ModelEntry

ROOT = Path(__file__).resolve().parents[2]
MODEL = "bench"
START_TIMEOUT_S = 30.0
# The fields of a record, of about the size of ours.
RECORD = {f"field_{number}": "x" * 40 for number in range(24)}


@dataclass(frozen=True)
class Servers:
    """Base addresses: of ours, and of the bare Flask application it is held against."""

    ours: str
    bare: str


@contextmanager
def running_servers(signals: StopSignals, *, processes: int) -> Iterator[Servers]:
    """Run Redis and both applications; a catalogue entry stands in for the worker's."""
    with tempfile.TemporaryDirectory(prefix="limelight-bench-") as name, ExitStack() as cleanup:
        directory = Path(name)
        guard = cleanup.enter_context(Guard(directory))
        store = cleanup.enter_context(PrivateRedis(directory / "redis", appendonly=True))
        guard.watch(store.pid)
        children = cleanup.enter_context(Processes(directory, ROOT, guard=guard, signals=signals))
        _publish(store.url)
        yield _start(children, store.url, processes=processes)


def _start(children: Processes, redis_url: str, *, processes: int) -> Servers:
    ports = free_port(), free_port()
    ours, bare = (f"http://{LOOPBACK}:{port}" for port in ports)
    web, flask = (
        children.start(
            name,
            [sys.executable, "-m", module],
            environment={
                **os.environ,
                "LIMELIGHT_REDIS_URL": redis_url,
                "LIMELIGHT_DEFAULT_MODEL": MODEL,
                "LIMELIGHT_BIND": f"{LOOPBACK}:{port}",
                "LIMELIGHT_WEB_WORKERS": str(processes),
            },
        )
        for name, module, port in (
            ("web", "web.main", ports[0]),
            ("bare Flask application", "tests.bench.bare", ports[1]),
        )
    )
    with Service(ours) as service:
        children.wait_until(web, service.is_ready, timeout_s=START_TIMEOUT_S)
    with Service(bare) as service:
        children.wait_until(
            flask, lambda: service.answers("/bare/record"), timeout_s=START_TIMEOUT_S
        )
    return Servers(ours, bare)


def _publish(redis_url: str) -> None:
    """Put what a worker would say of its model into the catalogue, and the bare view's record."""
    entry = ModelEntry(
        name=MODEL,
        state="available",
        version=1,
        signature="serving_default",
        input_size=(224, 224),
        channels=3,
        dtype="float32",
        class_count=1000,
        labels=None,
        problem=None,
        seen_at=time.time(),
    )
    with redis.Redis.from_url(redis_url) as client:
        Catalogue(client).publish([entry], worker="bench")
        client.hset("record", mapping=RECORD)
