"""The pipeline: segment, score the image, draw samples and score them until settled, judge."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from worker.explain.assessment import Assessment, assess
from worker.explain.baselines import baseline_image
from worker.explain.caveats import caveats
from worker.explain.errors import UnknownClass
from worker.explain.evidence import gather
from worker.explain.explanation import (
    WHOLE,
    ClassExplanation,
    Explanation,
    Floats,
    Frame,
    Image,
    Prediction,
    Progress,
    Score,
)
from worker.explain.findings import Ends, rank_areas, write_up
from worker.explain.options import ExplanationOptions, StoppedBy, TopClasses
from worker.explain.perturb import Hiding
from worker.explain.result_warning import ResultWarning
from worker.explain.scoring import SCALES, Scorer, kind_of
from worker.explain.segments import digest, segment, segment_numbers
from worker.explain.threads import one_thread
from worker.explain.trust import trust

__all__ = [
    "ClassExplanation",
    "Explanation",
    "Prediction",
    "Progress",
    "Score",
    "explain",
    "ignore",
]

Item = TypeVar("Item")

_PREDICTIONS = 5


def ignore(stage: str, samples_done: int, samples_limit: int) -> None:
    """Take no notice of progress."""


def explain(
    image: Image,
    *,
    options: ExplanationOptions,
    classes: TopClasses | Sequence[int],
    score: Score,
    batch_size: int,
    frame: Frame = WHOLE,
    custom_segments: NDArray[np.integer[Any]] | None = None,
    warnings: Sequence[ResultWarning] = (),
    on_progress: Progress = ignore,
) -> Explanation:
    """Explain why a model gives classes their scores on one image.

    The same arguments give the same answer to the bit, timings apart.

    Parameters
    ----------
    image : (H, W, C) uint8
        At the model's input size, C = 1 or 3. Never modified.
    options : ExplanationOptions
    classes : TopClasses or sequence of int
        The classes with the highest scores, or class indices.
    score : Score
        The port to the model.
    batch_size : int
        The most images in one batch.
    frame : Frame
        Where in the image the picture lies, h × w pixels. Padding around it belongs to no segment
        and is never hidden.
    custom_segments : (h, w) int, optional
        Label map for segmentation ``custom``; each distinct value is a segment.
    warnings : sequence of ResultWarning
        What is known before.
    on_progress : Progress
        Told of each step. What it raises passes through, and so ends the explanation.

    Returns
    -------
    Explanation

    Raises
    ------
    ExplainError
        If the request cannot be met; see ``errors``. What ``score`` raises passes through.
    """
    clock = _Clock()
    on_progress("segmenting", 0, options.samples)
    with clock("segment_s"):
        picture = image[frame]
        segments = segment(picture, options.segmentation, custom=custom_segments)
        baseline = baseline_image(picture, segments, options.baseline)
        numbers = segment_numbers(segments, options.segmentation, custom=custom_segments)
        hiding = Hiding(
            image=image, baseline=baseline, segments=segments, frame=frame, numbers=numbers
        )
    scorer = Scorer(hiding, score, batch_size=batch_size)
    with clock("predict_s"):
        (whole,) = scorer(np.ones((1, hiding.segment_count), dtype=np.bool_))
    SCALES[options.score_scale](whole)  # Raises before samples are scored for nothing.
    explained = _chosen(classes, whole)

    looks = gather(
        scorer,
        segments=hiding.segment_count,
        classes=explained,
        options=options,
        on_progress=on_progress,
    )
    for evidence in clock.each("predict_s", looks):
        with clock("fit_s"), one_thread():
            assessment = assess(evidence, hiding, options)
        if ended := assessment.ends(options.stopping):
            break

    used = len(assessment.evidence.samples)
    on_progress("fitting", used, options.samples)
    with clock("predict_s"):
        ends = Ends.of(whole, scorer, hiding.segment_count)
        areas = rank_areas(
            scorer,
            assessment,
            explained,
            ends,
            hiding,
            options,
            on_scored=lambda _: on_progress("fitting", used, options.samples),
        )
    with clock("fit_s"), one_thread():
        answers = write_up(assessment, explained, ends, areas, hiding, options)
        kind = kind_of(np.stack([ends.whole, ends.hidden]))
        told = (*warnings, *caveats(answers, assessment, hiding, ends, kind, options))
    return Explanation(
        predictions=_predictions(ends.whole),
        classes=answers,
        segments=segments,
        segments_sha256=digest(segments),
        segment_numbers=numbers,
        samples_used=used,
        samples_limit=options.samples,
        images_scored=scorer.images_scored,
        stopped_by=_stopped_by(assessment, options) if ended else "limit",
        sampler=options.sampler,
        seed=options.seed,
        timings=dict(clock.seconds),
        score_kind=kind,
        score_scale="logit" if options.score_scale == "logit" else kind,
        warnings=told,
        trust=tuple(trust(answer, told) for answer in answers),
    )


def _stopped_by(assessment: Assessment, options: ExplanationOptions) -> StoppedBy:
    moved = any(verdict.moved for verdict in assessment.verdicts)
    return options.stopping if moved and options.stopping != "fixed" else "unchanged"


def _predictions(scores: Floats) -> tuple[Prediction, ...]:
    return tuple(
        Prediction(class_index=int(index), score=float(scores[index]))
        for index in _best(scores, _PREDICTIONS)
    )


def _chosen(classes: TopClasses | Sequence[int], scores: Floats) -> tuple[int, ...]:
    """Tell the indices to explain, each once."""
    if isinstance(classes, TopClasses):
        return tuple(int(index) for index in _best(scores, classes.top))
    unknown = [index for index in classes if not 0 <= index < len(scores)]
    if unknown:
        raise UnknownClass(f"The model has classes 0 to {len(scores) - 1}, not {unknown[0]}.")
    return tuple(dict.fromkeys(classes))


def _best(scores: Floats, count: int) -> NDArray[np.intp]:
    """Sort classes by score, the highest first, of equal ones the lower index first."""
    return np.argsort(-scores, kind="stable")[:count]


class _Clock:
    """Seconds spent, by name."""

    def __init__(self) -> None:
        self.seconds = {"segment_s": 0.0, "predict_s": 0.0, "fit_s": 0.0}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - start

    def each(self, name: str, items: Iterator[Item]) -> Iterator[Item]:
        """Pass items on, counting the time that it takes to make them."""
        while True:
            with self(name):
                item = next(items, None)
            if item is None:
                return
            yield item
