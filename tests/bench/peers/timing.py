"""How long an explanation takes beside a bare client and beside lime, and what is not the model."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.accuracy.networks import network
from tests.bench.accuracy.photographs import PHOTOGRAPHS, photograph
from tests.bench.accuracy.runs import Method, picture
from tests.bench.figure import Figure, median_ratio
from tests.bench.peers.rig import BARE_SIZES, CALLS, IN_FLIGHT, PHOTOGRAPH, Cost, rig
from worker.allocation import keep_freed_memory
from worker.explain.explain import explain
from worker.explain.options import TopClasses
from worker.explain.presets import resolve
from worker.serving.model import ServedModel
from worker.serving.pace import FIRST_SIZE, Pace
from worker.serving.preprocess import affine, to_float
from worker.serving.tensors import from_array

ROUNDS = 5


def measure_overhead(name: str) -> Iterator[Figure]:
    """Cost of an explanation of ``CALLS`` samples beside that of the same images ready-made."""
    keep_freed_memory()  # As a worker does.
    with rig(name) as served:
        size = min(BARE_SIZES, key=lambda rows: served.bare(rows).cpu_s)
        fixed = resolve("default", {"stopping": "fixed"})
        paced = ServedModel(served.profile)
        unpaced = ServedModel(served.profile, pace=_Unheld(size))
        # The pace of a worker is known from the jobs before.
        served.ours(paced, fixed)
        costs: dict[str, list[Cost]] = {}
        for seed in range(ROUNDS):
            for kind, cost in (
                ("bare", served.bare(size)),
                ("ours", served.ours(paced, fixed)[0]),
                ("unpaced", served.ours(unpaced, fixed)[0]),
                ("lime", served.lime(seed=seed)[0]),
            ):
                costs.setdefault(kind, []).append(cost)
    yield from _costs(name, costs)


def measure_speedup(name: str) -> Iterator[Figure]:
    """Our default beside lime's on every photograph: the time, and the error of both answers.

    Errors are distances to references of many calls, those of the bench of accuracy.
    """
    keep_freed_memory()
    ratios, calls, errors = [], [], []
    with rig(name) as served:
        paced = ServedModel(served.profile)
        served.ours(paced, resolve("default", {"stopping": "fixed"}))
        for photo in PHOTOGRAPHS:
            subject = picture(network(name), photo)
            lime, theirs = served.lime(seed=0, name=photo)
            ours, answer = served.ours(paced, resolve("default", {}), name=photo)
            ratios.append(lime.wall_s / ours.wall_s)
            calls.append(answer.images_scored)
            errors.append(
                _error(subject.ours, answer.classes[0].attributions) / _error(subject.lime, theirs)
            )
    for what, values, unit, goal in (
        ("explain_speedup", ratios, "x", 3.0),
        ("error at our default / of lime at its default", errors, "x", 1.0),
        ("images scored at our default", calls, "images", None),
    ):
        yield Figure(
            name=f"{what}, median of {len(values)} photographs, {name}",
            value=statistics.median(values),
            unit=unit,
            goal=goal,
            goal_is="at least" if values is ratios else "at most",
        )


class _Unheld(Pace):
    """As the bare client asks, whatever that does to others."""

    def __init__(self, images: int) -> None:
        super().__init__(most_images=images, most_in_flight=IN_FLIGHT, target_s=600.0)
        self.images, self.in_flight = images, IN_FLIGHT

    def observe(self, *, rows: int, seconds: float, status: str) -> None:
        """Learn nothing."""


def _costs(name: str, costs: Mapping[str, Sequence[Cost]]) -> Iterator[Figure]:
    for how, of in (("", attrgetter("wall_s")), (" in CPU seconds", attrgetter("cpu_s"))):
        took = {kind: [of(cost) for cost in found] for kind, found in costs.items()}
        yield Figure(
            name=f"bare client, {CALLS} images{how}, {name}",
            value=statistics.median(took["bare"]),
            unit="s",
        )
        for kind, what, goal in (
            ("ours", "", 1.05),
            ("unpaced", " without holding back", None),
            ("lime", " of lime", None),
        ):
            yield Figure(
                name=f"overhead{what}{how}, {name}",
                value=median_ratio(took[kind], took["bare"]),
                unit="x",
                goal=goal,
            )


def _error(method: Method, attributions: NDArray[np.float64]) -> float:
    away = np.linalg.norm(attributions - method.reference)
    return float(away / np.linalg.norm(method.reference))


def measure_non_model() -> Iterator[Figure]:
    """What 1000 calls at 224x224 cost when the model answers at once: all that is ours."""
    keep_freed_memory()  # As a worker does.
    image = photograph(PHOTOGRAPH, (224, 224))
    for what, encode in (("uint8", False), ("float32", True)):
        seconds = [_non_model_s(image, to_float32=encode) for _ in range(ROUNDS + 1)]
        yield Figure(
            name=f"non-model time for {CALLS} calls at 224x224, {what} signature",
            value=statistics.median(seconds[1:]),
            unit="s",
            goal=0.2,
        )


def _non_model_s(image: NDArray[np.uint8], *, to_float32: bool) -> float:
    """Segment, build, encode and fit; the scores are numbers that move with the image.

    CPU seconds of this process, which waits for nobody: on an idle machine they are the time.
    """

    def score(batches: Any) -> Iterator[NDArray[np.float64]]:
        for batch in batches:
            for start in range(0, len(batch), FIRST_SIZE):
                part = batch[start : start + FIRST_SIZE]
                from_array(to_float(part, affine("raw"), layout="NHWC") if to_float32 else part)
            kept = batch[:, ::32, ::32].mean(axis=(1, 2)) / 255.0
            yield np.hstack([kept, 1.0 - kept])

    started = time.process_time()
    explain(
        image,
        options=resolve("default", {"stopping": "fixed"}),
        classes=TopClasses(top=1),
        score=score,
        batch_size=32,
    )
    return time.process_time() - started
