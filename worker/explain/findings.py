"""The last step: write down each class with every figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from worker.explain import figures, uncertainty
from worker.explain.assessment import Assessment, overlaps_of_halves
from worker.explain.explanation import ClassExplanation, Floats
from worker.explain.options import ExplanationOptions
from worker.explain.perturb import Hiding
from worker.explain.scoring import Scorer


@dataclass(frozen=True, kw_only=True, eq=False)
class Ends:
    """Scores (classes,) of the untouched image and of the one with all segments hidden.

    They are reported and not fitted: the samples of a fit are those of its sampler alone, so that
    the surrogate's value for the untouched image says something when it is held against the score.
    """

    whole: Floats
    hidden: Floats

    @classmethod
    def of(cls, scorer: Scorer, segments: int) -> Ends:
        """Have both scored, in one batch where its size allows."""
        whole, hidden = scorer(np.repeat([[True], [False]], segments, axis=1))
        return cls(whole=whole, hidden=hidden)


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
