"""What the model server's own users notice of explanations, and what explanations get done.

EfficientNet-Lite0 on the demo's model server. In front, single images come at a fixed rate, as
a product's requests do; behind, images are explained without end, by a process of its own.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat

import grpc
import numpy as np

from deploy.demo.build_models import MODEL_NAME
from tests.bench.figure import Figure
from tests.support.models import efficientnet_lite0, running_model_server
from worker.serving import tensors
from worker.serving.calls import CallRecord
from worker.serving.model import ServedModel
from worker.serving.pace import Learned, Pace
from worker.serving.profile import ModelProfile
from worker.serving.rpc import ServingStub
from worker.serving.stubs.prediction_service_pb2 import PredictRequest

ROUNDS = 3
REQUESTS = 120
EVERY_S = 0.15
WARM_UP_S = 6.0
BEST_S = 12.0
BATCH = 64


class Fastest(Pace):
    """Two calls of many images in flight, whatever that does to others: the best bulk rate."""

    def __init__(self, images: int = BATCH) -> None:
        super().__init__(most_images=images, most_in_flight=2, target_s=600.0)
        self.images, self.in_flight = images, 2

    def observe(self, *, rows: int, seconds: float, status: str) -> None:
        """Learn nothing."""

    @property
    def learned(self) -> Learned:
        """The same for ever."""
        return Learned(images=self.images, in_flight=self.in_flight)


def measure() -> Iterator[Figure]:
    """Measure the kinds in turn, round by round, and take medians."""
    alone, default, polite = [], [], []
    rates: dict[str, list[float]] = {"fastest": [], "default": [], "polite": []}
    with running_model_server(
        {MODEL_NAME: efficientnet_lite0()}, "--threads", str(os.cpu_count())
    ) as server:
        for _ in range(ROUNDS):
            with _behind(server.target, "fastest") as images:
                time.sleep(WARM_UP_S)
                rates["fastest"].append(_rate(images, BEST_S))
            alone.append(_p95_ms(server.target))
            for kind, found in (("default", default), ("polite", polite)):
                with _behind(server.target, kind) as images:
                    time.sleep(WARM_UP_S)
                    began, before = time.monotonic(), len(images)
                    found.append(_p95_ms(server.target))
                    done = sum(images[before:])
                    rates[kind].append(done / (time.monotonic() - began))
    yield Figure(name="foreground p95 alone", value=statistics.median(alone), unit="ms")
    yield Figure(
        name="foreground p95 beside explanations / alone", value=_ratio(default, alone), unit="x",
        goal=2.0,
    )  # fmt: skip
    yield Figure(
        name="bulk rate beside the foreground / best bulk rate",
        value=_ratio(rates["default"], rates["fastest"]), unit="x", goal=0.8, goal_is="at least",
    )  # fmt: skip
    yield Figure(
        name="foreground p95 beside polite explanations / alone", value=_ratio(polite, alone),
        unit="x", goal=1.25,
    )  # fmt: skip
    for kind, values in rates.items():
        yield Figure(name=f"bulk rate, {kind}", value=statistics.median(values), unit="images/s")


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def _p95_ms(target: str) -> float:
    """Send single images at a fixed rate; return the 95th percentile of what they took."""
    image = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3)).astype(np.float32)
    request = PredictRequest(inputs={"image": tensors.from_array(image)})
    request.model_spec.name = MODEL_NAME
    took = []
    with grpc.insecure_channel(target) as channel:
        predict = ServingStub(channel).predict
        predict(request, timeout=30)
        due = time.monotonic()
        for _ in range(REQUESTS):
            due += EVERY_S
            time.sleep(max(0.0, due - time.monotonic()))
            began = time.monotonic()
            predict(request, timeout=30)
            took.append(time.monotonic() - began)
    return 1000 * statistics.quantiles(took, n=20)[-1]


@contextmanager
def _behind(target: str, kind: str) -> Iterator[list[int]]:
    """Explain without end in a process of its own; yield the sizes of its calls as they end."""
    command = [sys.executable, "-m", "tests.bench.holding_back", target, kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        images: list[int] = []

        def collect() -> None:
            assert process.stdout is not None
            images.extend(map(int, process.stdout))

        reader = threading.Thread(target=collect, daemon=True)
        reader.start()
        try:
            yield images
        finally:
            process.terminate()
            process.wait(timeout=10)
            reader.join(timeout=10)


def _rate(images: Sequence[int], seconds: float) -> float:
    before = len(images)
    time.sleep(seconds)
    return sum(images[before:]) / seconds


def _explain_without_end(target: str, kind: str) -> None:
    def tell(record: CallRecord) -> None:
        if record.method == "Predict":
            print(record.rows, flush=True)

    profile = ModelProfile(
        name=MODEL_NAME,
        servable=MODEL_NAME,
        address=f"dns:///{target}",
        max_batch_size=BATCH,
        polite=kind == "polite",
    )
    model = ServedModel(profile, observe=tell, pace=Fastest() if kind == "fastest" else None)
    resolved = model.resolve(None, timeout_s=30)
    batch = np.random.default_rng(1).integers(0, 256, (BATCH, 224, 224, 3), dtype=np.uint8)
    for _ in model.predictor(resolved, deadline_s=600)(repeat(batch)):
        pass


if __name__ == "__main__":
    _explain_without_end(*sys.argv[1:])
