"""What our POST and our poll cost beside the least that a Flask application could do.

Both applications run under gunicorn with the same settings and share one Redis; no worker and no
model server runs. Requests go to one and the other in turns.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import httpx
import numpy as np
from PIL import Image

from deploy.demo.client import photographs
from deploy.demo.signals import StopSignals
from tests.bench.figure import Figure, median_ratio
from tests.bench.load import Target, in_turns, multipart
from tests.bench.servers import Servers, running_servers

ROUNDS = 9
POSTS, POLLS = 10, 200


def measure() -> Iterator[Figure]:
    """POST a JPEG of 1 MB, then poll a queued job."""
    with StopSignals() as signals, running_servers(signals, processes=1) as servers:
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


def jpeg_of(size: int, *, width: int = 1500, grain: float = 16) -> bytes:
    """A JPEG of about so many bytes: a photograph enlarged, with grain of a fixed seed."""
    with Image.open(photographs()[1].file) as photograph:
        large = np.asarray(
            photograph.convert("RGB").resize((width, width * 2 // 3)), dtype=np.float64
        )
    noise = np.random.default_rng(0).normal(0, grain, large.shape)
    image = Image.fromarray(np.clip(large + noise, 0, 255).astype(np.uint8))
    return min(
        (_encoded(image, quality) for quality in range(60, 96)),
        key=lambda data: abs(len(data) - size),
    )


def _encoded(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
