"""How long an explanation takes beside a bare client and beside lime, and what is not the model.

`overhead` and `explain_speedup`. The errors of the answers are distances to references of many
calls, which are scored the first time (minutes) and then taken from disk.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.accuracy.networks import NETWORKS, network
from tests.bench.accuracy.photographs import photograph
from tests.bench.accuracy.runs import Method, picture
from tests.bench.figure import Figure, median_ratio
from tests.bench.peers.rig import BARE_SIZES, CALLS, PHOTOGRAPH, Rig, rig
from worker.allocation import keep_freed_memory
from worker.explain.explain import explain
from worker.explain.options import TopClasses
from worker.explain.presets import resolve
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


def _beside(served: Rig, *, ours: Method, lime: Method) -> Iterator[Figure]:
    size = min(BARE_SIZES, key=served.bare)
    fixed, default = resolve("default", {"stopping": "fixed"}), resolve("default", {})
    # The pace of a worker is known from the jobs before.
    served.ours(fixed)
    served.ours(fixed, held_back=False)
    took: dict[str, list[float]] = {}
    errors: dict[str, list[float]] = {"ours": [], "lime": []}
    calls = []
    for seed in range(ROUNDS):
        took.setdefault("bare", []).append(served.bare(size))
        took.setdefault("ours", []).append(served.ours(fixed)[0])
        took.setdefault("unpaced", []).append(served.ours(fixed, held_back=False)[0])
        seconds, answer = served.ours(resolve("default", {"seed": seed}))
        took.setdefault("default", []).append(seconds)
        errors["ours"].append(_error(ours, answer.classes[0].attributions))
        calls.append(answer.images_scored)
        seconds, attributions = served.lime(seed=seed)
        took.setdefault("lime", []).append(seconds)
        errors["lime"].append(_error(lime, attributions))
    assert default.samples == CALLS
    yield from _figures(served.name, took, errors, calls)


def _figures(
    name: str,
    took: dict[str, list[float]],
    errors: dict[str, list[float]],
    calls: list[int],
) -> Iterator[Figure]:
    def figure(what: str, value: float, unit: str, **goal: Any) -> Figure:
        return Figure(name=f"{what}, {name}", value=value, unit=unit, **goal)

    bare = took["bare"]
    yield figure("bare client, 1000 images", statistics.median(bare), "s")
    yield figure("overhead", median_ratio(took["ours"], bare), "x", goal=1.05)
    yield figure("overhead without holding back", median_ratio(took["unpaced"], bare), "x")
    yield figure("overhead of lime", median_ratio(took["lime"], bare), "x")
    yield figure(
        "explain_speedup", median_ratio(took["lime"], took["default"]), "x",
        goal=3.0, goal_is="at least",
    )  # fmt: skip
    theirs = statistics.median(errors["lime"])
    yield figure("error at our default", statistics.median(errors["ours"]), "share", goal=theirs)
    yield figure("error of lime at its default", theirs, "share")
    yield figure("images scored at our default", statistics.median(calls), "images")


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
            kept = batch[:, ::32, ::32].mean(axis=(1, 2)) / 255.0
            ready = to_float(batch, affine("raw"), layout="NHWC") if to_float32 else batch
            from_array(ready)
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
