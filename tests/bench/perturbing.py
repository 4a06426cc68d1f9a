"""Building 1000 perturbed images of 224 by 224, against the loop of the lime package."""

from __future__ import annotations

import contextlib
import io
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
from lime.lime_image import LimeImageExplainer
from numpy.typing import NDArray
from skimage.data import chelsea
from skimage.segmentation import slic
from skimage.transform import resize

from tests.bench.figure import Figure
from worker.explain.baselines import baseline_image
from worker.explain.options import SegmentMean
from worker.explain.perturb import Hiding, batches

SAMPLES = 1000
BATCH_SIZE = 64
ROUNDS = 5


def measure() -> Iterator[Figure]:
    """Build them as a worker does, batch by batch, without scoring them."""
    hiding = _cat()
    samples = np.random.default_rng(0).random((SAMPLES, hiding.segment_count)) < 0.5
    ours = _median_s(lambda: _build(hiding, samples), ROUNDS)
    theirs = _median_s(lambda: _build_with_lime(hiding), 2)
    yield Figure(name=f"{SAMPLES} perturbed images of 224x224", value=ours, unit="s", goal=0.25)
    yield Figure(name=f"{SAMPLES} perturbed images, lime's loop", value=theirs, unit="s")


def _cat() -> Hiding:
    image = np.rint(resize(chelsea(), (224, 224)) * 255).astype(np.uint8)
    segments = slic(image, n_segments=50, start_label=0).astype(np.int32)
    baseline = baseline_image(image, segments, SegmentMean(method="segment-mean"))
    return Hiding(image=image, baseline=baseline, segments=segments)


def _build(hiding: Hiding, samples: NDArray[np.bool_]) -> None:
    for _batch in batches(hiding, samples, batch_size=BATCH_SIZE):
        pass


def _build_with_lime(hiding: Hiding) -> None:
    explainer = LimeImageExplainer(random_state=0, verbose=False)
    # It draws a progress bar, which costs next to nothing, on stderr.
    with contextlib.redirect_stderr(io.StringIO()):
        explainer.data_labels(
            hiding.image,
            hiding.baseline,
            hiding.segments,
            lambda images: np.zeros((len(images), 1)),
            SAMPLES,
            batch_size=10,
        )


def _median_s(build: Callable[[], None], rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        build()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
