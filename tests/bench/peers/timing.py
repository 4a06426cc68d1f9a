"""How long an explanation takes beside a bare client and beside lime, and what is not the model.

`overhead` and `explain_speedup`. The errors of the answers are distances to references of many
calls, which are scored the first time (minutes) and then taken from disk.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.accuracy.networks import NETWORKS, network
from tests.bench.accuracy.photographs import photograph
from tests.bench.accuracy.runs import Method, picture
from tests.bench.figure import Figure, median_ratio
from tests.bench.peers.rig import BARE_SIZES, CALLS, IN_FLIGHT, PHOTOGRAPH, Cost, Rig, rig
from worker.allocation import keep_freed_memory
from worker.explain.explain import explain
from worker.explain.options import TopClasses
from worker.explain.presets import resolve
from worker.serving.model import ServedModel
from worker.serving.pace import FIRST_SIZE, Pace
from worker.serving.preprocess import affine, to_float
from worker.serving.tensors import from_array

ROUNDS = 5


def measure(name: str) -> Iterator[Figure]:
    """Measure everything on one network."""
    keep_freed_memory()  # As a worker does.
    subject = picture(network(name), PHOTOGRAPH)
    with rig(name) as served:
        yield from _beside(served, ours=subject.ours, lime=subject.lime)


MEASURES = {name: partial(measure, name) for name in NETWORKS}


class _Unheld(Pace):
    """As the bare client asks, whatever that does to others."""

    def __init__(self, images: int) -> None:
        super().__init__(most_images=images, most_in_flight=IN_FLIGHT, target_s=600.0)
        self.images, self.in_flight = images, IN_FLIGHT

    def observe(self, *, rows: int, seconds: float, status: str) -> None:
        """Learn nothing."""


def _beside(served: Rig, *, ours: Method, lime: Method) -> Iterator[Figure]:
    size = min(BARE_SIZES, key=lambda rows: served.bare(rows).cpu_s)
    fixed = resolve("default", {"stopping": "fixed"})
    paced = ServedModel(served.profile)
    unpaced = ServedModel(served.profile, pace=_Unheld(size))
    # The pace of a worker is known from the jobs before.
    served.ours(paced, fixed)
    costs: dict[str, list[Cost]] = {}
    errors: dict[str, list[float]] = {"ours": [], "lime": []}
    images = []
    for seed in range(ROUNDS):
        default, answer = served.ours(paced, resolve("default", {"seed": seed}))
        theirs, attributions = served.lime(seed=seed)
        for kind, cost in (
            ("bare", served.bare(size)),
            ("ours", served.ours(paced, fixed)[0]),
            ("unpaced", served.ours(unpaced, fixed)[0]),
            ("default", default),
            ("lime", theirs),
        ):
            costs.setdefault(kind, []).append(cost)
        images.append(answer.images_scored)
        errors["ours"].append(_error(ours, answer.classes[0].attributions))
        errors["lime"].append(_error(lime, attributions))
    yield from _costs(served.name, costs)
    error = statistics.median(errors["lime"])
    for what, value, unit, goal in (
        ("error at our default", statistics.median(errors["ours"]), "share", error),
        ("error of lime at its default", error, "share", None),
        ("images scored at our default", statistics.median(images), "images", None),
    ):
        yield Figure(name=f"{what}, {served.name}", value=value, unit=unit, goal=goal)


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
        yield Figure(
            name=f"explain_speedup{how}, {name}",
            value=median_ratio(took["lime"], took["default"]),
            unit="x",
            goal=3.0,
            goal_is="at least",
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
