"""The last step: write down each class with every figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from worker.explain import figures, uncertainty
from worker.explain.assessment import Assessment, overlaps_of_halves
from worker.explain.explanation import ClassExplanation, Floats
from worker.explain.options import ExplanationOptions
from worker.explain.perturb import Hiding
from worker.explain.scoring import Scorer

# Calls of another size round differently, most in float16 and bfloat16; a hundredth is no rounding.
SAME = 0.01

Variation = Literal["batch", "chance"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Ends:
    """Scores of the untouched image and of the one with all segments hidden.

    They are reported and not fitted: the samples of a fit are those of its sampler alone, so that
    the surrogate's value for the untouched image says something when it is held against the score.

    Attributes
    ----------
    whole, hidden : (classes,) float64
    varies : str or None
        What else than the image its scores depend on: the ``"batch"`` that it is in, or
        ``"chance"``, with other scores each time.
    difference : float
        Between two scorings of the untouched image: the largest of any class, over the largest
        score.
    """

    whole: Floats
    hidden: Floats
    varies: Variation | None
    difference: float

    @classmethod
    def of(cls, whole: Floats, scorer: Scorer, segments: int) -> Ends:
        """Have the hidden image scored, and the untouched one behind it in one batch, twice.

        A softmax over the batch gives two of the same half each, and a model that answers for the
        first image only gives them the hidden one's scores. Only where the untouched image then has
        other scores is it scored alone again, and the batch too where its two differ: what depends
        on the batch is the same again.

        Parameters
        ----------
        whole : (classes,) float64
            Scores of the untouched image in a batch of its own.
        """
        three = np.repeat([[False], [True], [True]], segments, axis=1)
        hidden, one, other = scorer(three)
        difference = max(_difference(whole, one), _difference(whole, other))
        varies: Variation | None = None
        if difference > SAME:
            (again,) = scorer(three[-1:])
            repeats = _difference(whole, again) <= SAME
            if repeats and _difference(one, other) > SAME:
                repeats = _difference(np.stack([hidden, one, other]), scorer(three)) <= SAME
            varies = "batch" if repeats and scorer.batch_size > 1 else "chance"
        return cls(whole=whole, hidden=hidden, varies=varies, difference=difference)


def _difference(one: Floats, other: Floats) -> float:
    largest = max(float(np.abs(one).max()), float(np.abs(other).max()))
    return float(np.abs(one - other).max()) / largest if largest > 0 else 0.0


def rank_areas(
    scorer: Scorer,
    assessment: Assessment,
    classes: Sequence[int],
    ends: Ends,
    hiding: Hiding,
    options: ExplanationOptions,
    *,
    on_scored: Callable[[int], None],
) -> list[dict[str, float] | None]:
    """Measure insertion and deletion of each class, if asked for.

    The random orders are shared by all classes.
    """
    if not options.insertion_deletion:
        return [None for _ in classes]
    orders = figures.random_samples(hiding.segment_count, seed=options.seed)
    random = scorer(orders, columns=classes, on_scored=on_scored)
    areas: list[dict[str, float] | None] = []
    for number, index in enumerate(classes):
        rows = figures.ranking_samples(assessment.verdicts[number].fit.attributions)
        ranked = scorer(rows, columns=[index], on_scored=on_scored)[:, 0]
        areas.append(
            figures.insertion_deletion(
                figures.Steps(rows, ranked),
                figures.Steps(orders, random[:, number]),
                areas=hiding.areas,
                score=float(ends.whole[index]),
                hidden_score=float(ends.hidden[index]),
            )
        )
    return areas


def write_up(
    assessment: Assessment,
    classes: Sequence[int],
    ends: Ends,
    areas: Sequence[Mapping[str, float] | None],
    hiding: Hiding,
    options: ExplanationOptions,
) -> tuple[ClassExplanation, ...]:
    """Compute all figures of each class."""
    overlaps = overlaps_of_halves(assessment, hiding, options)
    return tuple(
        _class_explanation(assessment, number, index=index, ends=ends, overlap=overlap, area=area)
        for number, (index, overlap, area) in enumerate(zip(classes, overlaps, areas, strict=True))
    )


def _class_explanation(
    assessment: Assessment,
    number: int,
    *,
    index: int,
    ends: Ends,
    overlap: float | None,
    area: Mapping[str, float] | None,
) -> ClassExplanation:
    weights, verdict = assessment.weights, assessment.verdicts[number]
    fit, influences = verdict.fit, verdict.influences
    errors = None if influences is None else uncertainty.standard_errors(influences)
    return ClassExplanation(
        class_index=index,
        score=float(ends.whole[index]),
        hidden_score=float(ends.hidden[index]),
        intercept=fit.intercept,
        surrogate_score=fit.surrogate_score,
        r2=figures.r2(verdict.scores, fit.fitted, weights),
        press_r2=figures.press_r2(fit, verdict.scores, weights, fitted_to=verdict.fitted_to),
        attributions=fit.attributions,
        standard_errors=errors,
        sign_confidence=None
        if errors is None
        else uncertainty.sign_confidence(fit.attributions, errors),
        relative_error=verdict.relative_error,
        settled=verdict.settled,
        certified=verdict.certified,
        jaccard_at_5=overlap,
        control_variates="interactions" if verdict.is_adjusted else "none",
        insertion_deletion=area,
    )
