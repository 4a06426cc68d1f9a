"""What the model server's own users notice of explanations, and what explanations get done.

EfficientNet-Lite0 on the demo's model server. In front, single images come at a fixed rate, as
a product's requests do. Behind, a full queue is worked off by a worker of two processes; the best
bulk rate is that of a client which has nothing to do but to send, and no regard for others.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import numpy as np

from deploy.demo.build_models import MODEL_NAME
from tests.bench.figure import Figure, median_ratio
from tests.bench.peers.workers import running_workers
from tests.support.models import efficientnet_lite0, running_model_server
from worker.serving import tensors
from worker.serving.profile import ModelProfile
from worker.serving.rpc import ServingStub
from worker.serving.stubs.prediction_service_pb2 import PredictRequest

ROUNDS = 3
REQUESTS = 120
EVERY_S = 0.15
WARM_UP_S = 8.0
BEST_S = 5.0
BEST_SIZES = (8, 16, 64)
IN_FLIGHT = 2
PROCESSES = 2
# More than are done while the foreground is measured.
JOBS = 10
JOB = {"options.stopping": "fixed", "options.samples": "1000", "queue": "bulk"}
PROMISED = {"default": 2.0, "polite": 1.25}


def measure() -> Iterator[Figure]:
    """Measure the kinds in turn, round by round, and take medians."""
    alone: list[float] = []
    best: list[float] = []
    beside: dict[str, list[float]] = {kind: [] for kind in PROMISED}
    rates: dict[str, list[float]] = {kind: [] for kind in PROMISED}
    with running_model_server(
        {MODEL_NAME: efficientnet_lite0()}, "--threads", str(os.cpu_count())
    ) as server:
        for _ in range(ROUNDS):
            best.append(max(_best_rate(server.target, rows) for rows in BEST_SIZES))
            alone.append(_p95_ms(server.target))
            for kind in PROMISED:
                p95_ms, rate = _beside_a_full_queue(server.target, polite=kind == "polite")
                beside[kind].append(p95_ms)
                rates[kind].append(rate)
    yield Figure(name="foreground p95 alone", value=statistics.median(alone), unit="ms")
    yield Figure(name="best bulk rate, alone", value=statistics.median(best), unit="images/s")
    for kind, most in PROMISED.items():
        yield Figure(
            name=f"foreground p95 beside a full queue, {kind} / alone",
            value=median_ratio(beside[kind], alone),
            unit="x",
            goal=most,
        )
        yield Figure(
            name=f"bulk rate beside the foreground, {kind}",
            value=statistics.median(rates[kind]),
            unit="images/s",
        )
    yield Figure(
        name="bulk rate beside the foreground, default / best bulk rate",
        value=median_ratio(rates["default"], best),
        unit="x",
        goal=0.8,
        goal_is="at least",
    )


def _beside_a_full_queue(target: str, *, polite: bool) -> tuple[float, float]:
    """95th percentile of the foreground in ms, and images a second scored for explanations."""
    profile = ModelProfile(
        name=MODEL_NAME, servable=MODEL_NAME, address=f"dns:///{target}", polite=polite
    )
    with running_workers(profile, processes=PROCESSES) as workers:
        for seed in range(JOBS):
            workers.submit(**JOB, **{"options.seed": str(seed)})
        time.sleep(WARM_UP_S)
        began, before = time.monotonic(), workers.images_scored()
        p95_ms = _p95_ms(target)
        return p95_ms, (workers.images_scored() - before) / (time.monotonic() - began)


def _p95_ms(target: str) -> float:
    """Send single images at a fixed rate; return the 95th percentile of what they took."""
    request = _request(rows=1)
    took = []
    with _predicting(target) as predict:
        predict(request, timeout=30)
        due = time.monotonic()
        for _ in range(REQUESTS):
            due += EVERY_S
            time.sleep(max(0.0, due - time.monotonic()))
            began = time.monotonic()
            predict(request, timeout=30)
            took.append(time.monotonic() - began)
    return 1000 * statistics.quantiles(took, n=20)[-1]


def _best_rate(target: str, rows: int) -> float:
    """Images a second in calls of some ready-made ones, always ``IN_FLIGHT`` under way."""
    request = _request(rows=rows)
    done = []
    with _predicting(target) as predict:
        predict(request, timeout=30)
        end = time.monotonic() + BEST_S

        def send() -> None:
            while time.monotonic() < end:
                predict(request, timeout=30)
                done.append(rows)

        began = time.monotonic()
        senders = [threading.Thread(target=send) for _ in range(IN_FLIGHT)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        return sum(done) / (time.monotonic() - began)


def _request(*, rows: int) -> PredictRequest:
    images = np.random.default_rng(0).integers(0, 256, (rows, 224, 224, 3)).astype(np.float32)
    request = PredictRequest(inputs={"image": tensors.from_array(images)})
    request.model_spec.name = MODEL_NAME
    return request


@contextmanager
def _predicting(target: str) -> Iterator[grpc.UnaryUnaryMultiCallable]:
    # 64 images are 38 MB.
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(target, options=options) as channel:
        yield ServingStub(channel).predict
