"""What our POST and our poll cost beside the least that a Flask application could do.

Both applications run under gunicorn with the same settings and share one Redis; no worker and no
model server runs. Requests go to one and the other in turns.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import redis
from PIL import Image

from deploy.demo.client import Service, photographs
from deploy.demo.processes import Guard, Processes
from deploy.demo.redis_server import LOOPBACK, PrivateRedis, free_port
from deploy.demo.signals import StopSignals
from tests.bench.figure import Figure, median_ratio
from tests.bench.load import Target, in_turns, multipart
from worker.jobs.catalogue import Catalogue, ModelEntry

ROOT = Path(__file__).resolve().parents[2]
MODEL = "bench"
ROUNDS = 9
POSTS, POLLS = 10, 200
START_TIMEOUT_S = 30.0
# The fields of a record, of about the size of ours.
RECORD = {f"field_{number}": "x" * 40 for number in range(24)}


@dataclass(frozen=True)
class Servers:
    """Base addresses of the two applications."""

    ours: str
    bare: str


def measure() -> Iterator[Figure]:
    """POST a JPEG of 1 MB, then poll a queued job."""
    with StopSignals() as signals, _running(signals) as servers:
        upload = jpeg_of(1_000_000)
        yield from _post(servers, upload)
        yield from _poll(servers, upload)


def _post(servers: Servers, upload: bytes) -> Iterator[Figure]:
    body, headers = multipart(upload)
    targets = [
        Target(url=url, method="POST", body=body, headers=headers, expect=202)
        for url in (f"{servers.ours}/v1/explanations", f"{servers.bare}/bare")
    ]
    ours, bare = in_turns(targets, rounds=ROUNDS, requests=POSTS)
    yield from _figures("POST of a 1 MB JPEG", ours, bare, goal=1.5)


def _poll(servers: Servers, upload: bytes) -> Iterator[Figure]:
    answer = httpx.post(
        f"{servers.ours}/v1/explanations", files={"image": upload}, trust_env=False, timeout=30
    )
    job = answer.raise_for_status().json()["id"]
    targets = [
        Target(url=f"{servers.ours}/v1/explanations/{job}", expect=200),
        Target(url=f"{servers.bare}/bare/record", expect=200),
    ]
    ours, bare = in_turns(targets, rounds=ROUNDS, requests=POLLS)
    yield from _figures("poll", ours, bare, goal=2.0)


def _figures(what: str, ours: list[float], bare: list[float], *, goal: float) -> Iterator[Figure]:
    yield Figure(
        name=f"{what} against a bare Flask view",
        value=median_ratio(ours, bare),
        unit="x",
        goal=goal,
    )
    yield Figure(name=f"{what}, median", value=float(np.median(ours)) * 1e3, unit="ms")
    yield Figure(name=f"{what}, bare, median", value=float(np.median(bare)) * 1e3, unit="ms")


def jpeg_of(size: int) -> bytes:
    """A JPEG of about so many bytes: a photograph enlarged, with grain of a fixed seed."""
    with Image.open(photographs()[1].file) as photograph:
        large = np.asarray(photograph.convert("RGB").resize((1500, 1000)), dtype=np.float64)
    grain = np.random.default_rng(0).normal(0, 16, large.shape)
    image = Image.fromarray(np.clip(large + grain, 0, 255).astype(np.uint8))
    return min(
        (_encoded(image, quality) for quality in range(60, 96)),
        key=lambda data: abs(len(data) - size),
    )


def _encoded(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@contextmanager
def _running(signals: StopSignals) -> Iterator[Servers]:
    """Run Redis and both applications; a catalogue entry stands in for the worker's."""
    with tempfile.TemporaryDirectory(prefix="limelight-bench-") as name, ExitStack() as cleanup:
        directory = Path(name)
        guard = cleanup.enter_context(Guard(directory))
        store = cleanup.enter_context(PrivateRedis(directory / "redis", appendonly=True))
        guard.watch(store.pid)
        processes = cleanup.enter_context(Processes(directory, ROOT, guard=guard, signals=signals))
        _publish(store.url)
        yield _start(processes, store.url)


def _start(processes: Processes, redis_url: str) -> Servers:
    ports = free_port(), free_port()
    ours, bare = (f"http://{LOOPBACK}:{port}" for port in ports)
    web, flask = (
        processes.start(
            name,
            [sys.executable, "-m", module],
            environment={
                **os.environ,
                "LIMELIGHT_REDIS_URL": redis_url,
                "LIMELIGHT_DEFAULT_MODEL": MODEL,
                "LIMELIGHT_BIND": f"{LOOPBACK}:{port}",
                "LIMELIGHT_WEB_WORKERS": "1",
            },
        )
        for name, module, port in (
            ("web", "web.main", ports[0]),
            ("bare Flask application", "tests.bench.bare", ports[1]),
        )
    )
    with Service(ours) as service:
        processes.wait_until(web, service.is_ready, timeout_s=START_TIMEOUT_S)
    with Service(bare) as service:
        processes.wait_until(
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
