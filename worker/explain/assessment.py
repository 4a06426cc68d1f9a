"""Fit the evidence and judge the fits: the surrogate of each class, with how sure it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from worker.explain import figures, stopping, uncertainty
from worker.explain.control_variates import ControlVariates
from worker.explain.evidence import Evidence
from worker.explain.explanation import Floats
from worker.explain.options import ExplanationOptions
from worker.explain.perturb import Hiding
from worker.explain.proximity import COUNTED, by_count, proximities
from worker.explain.surrogate import LINEAR, Fit, fit


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """The surrogate of one class and what is known of its error.

    Attributes
    ----------
    fit : Fit
    scores : (N,) float64
        Of the model.
    fitted_to : (N,) float64
        The same, or adjusted by control variates where that makes standard errors smaller.
    influences : (G, S) float64, or None
        From ``uncertainty.influence``.
    looks : int
        How often the verdict could have been asked for before the limit of samples.
    has_blocks : bool
        Whether there are the blocks that a verdict needs.
    """

    fit: Fit
    scores: Floats
    fitted_to: Floats
    influences: Floats | None
    looks: int
    has_blocks: bool

    @property
    def is_adjusted(self) -> bool:
        """Whether control variates were of use."""
        return self.fitted_to is not self.scores

    @property
    def moved(self) -> bool:
        """Whether hiding segments changed the score."""
        return figures.moved(self.scores)

    @property
    def relative_error(self) -> float | None:
        """See ``uncertainty.relative_error``; None without influences."""
        if self.influences is None:
            return None
        return uncertainty.relative_error(self.fit.attributions, self.influences)

    @property
    def precise(self) -> bool:
        """Whether all attributions together are known as well as a picture of them needs."""
        return self.relative_error is None or self.relative_error <= stopping.PRECISE

    @property
    def settled(self) -> bool | None:
        """Whether the top segments are settled; None without influences, or without a top."""
        if self.influences is None or not self.moved:
            return None
        return self.has_blocks and stopping.is_settled(self.fit.attributions, self.influences)

    @property
    def certified(self) -> bool | None:
        """Whether they are certified; None without influences, or without a top."""
        if self.influences is None or not self.moved:
            return None
        return self.has_blocks and stopping.is_certified(
            self.fit.attributions, self.influences, looks=self.looks
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Assessment:
    """The evidence of one look, its proximities (N,), and the verdict on each class."""

    evidence: Evidence
    weights: Floats
    verdicts: tuple[Verdict, ...]

    def ends(self, rule: str) -> bool:
        """Whether a rule in ``RULES`` is met by every class, so that no more samples are needed."""
        return all(RULES[rule](verdict) is True for verdict in self.verdicts)


def _is_still(verdict: Verdict) -> bool:
    """Whether more samples would tell no more of a score than that nothing changes it."""
    return verdict.has_blocks and not verdict.moved


RULES: Mapping[str, Callable[[Verdict], bool | None]] = MappingProxyType(
    {
        "settled": lambda verdict: _is_still(verdict) or (verdict.settled and verdict.precise),
        "certified": lambda verdict: _is_still(verdict) or verdict.certified,
        "fixed": lambda verdict: False,
    }
)


def assess(evidence: Evidence, hiding: Hiding, options: ExplanationOptions) -> Assessment:
    """Fit the surrogate of every class, and see what each sample did to it."""
    weights = proximities(evidence.samples, hiding, options)
    looks = 1
    if options.stopping != "fixed":
        looks = len(stopping.looks(limit=options.samples, block=evidence.first_block))
    return Assessment(
        evidence=evidence,
        weights=weights,
        verdicts=tuple(
            Verdict(
                fit=one.fit,
                scores=scores,
                fitted_to=scores if one.adjusted is None else one.adjusted,
                influences=one.influences,
                looks=looks,
                has_blocks=evidence.independent >= stopping.LEAST_BLOCKS,
            )
            for one, scores in zip(
                _answers(evidence, weights, hiding, options), evidence.scores.T, strict=True
            )
        ),
    )


@dataclass(frozen=True, eq=False)
class _Answer:
    """A fit to the scores of one class, or to ``adjusted`` ones, and its influences."""

    fit: Fit
    influences: Floats | None
    adjusted: Floats | None = None

    @property
    def variance(self) -> float:
        """Of all attributions together."""
        return np.inf if self.influences is None else float((self.influences**2).sum())


def _answers(
    evidence: Evidence, weights: Floats, hiding: Hiding, options: ExplanationOptions
) -> list[_Answer]:
    """Fit every class, to the adjusted scores that leave the smallest errors if any does."""
    fits = fit(evidence.samples, evidence.scores, weights, options)
    answers = [
        _Answer(one, uncertainty.influence(one, scores, evidence.clusters))
        for one, scores in zip(fits, evidence.scores.T, strict=True)
    ]
    if not _can_adjust(answers, options):
        return answers
    controls = ControlVariates.of(
        evidence, segments=hiding.segments, weights=by_count(hiding, options)
    )
    if controls is None:
        return answers
    for number, scores in enumerate(evidence.scores.T):
        ways = controls.adjusted(scores, fits[number].attributions)
        if ways:
            others = fit(evidence.samples, np.stack(ways, axis=1), weights, options)
            influences = [
                uncertainty.influence(one, way, evidence.clusters)
                for one, way in zip(others, ways, strict=True)
            ]
            adjusted = map(_Answer, others, influences, ways)
            answers[number] = min(answers[number], *adjusted, key=lambda answer: answer.variance)
    return answers


def _can_adjust(answers: list[_Answer], options: ExplanationOptions) -> bool:
    """Whether what control variates take off is known to leave the attributions the same."""
    return (
        options.control_variates == "interactions"
        and options.distance in COUNTED
        and options.surrogate.method in LINEAR
        and all(answer.influences is not None for answer in answers)
    )


def overlaps_of_halves(
    assessment: Assessment, hiding: Hiding, options: ExplanationOptions
) -> tuple[float | None, ...]:
    """Jaccard@5 between the answers of independent halves of the samples, for each class."""
    evidence, weights = assessment.evidence, assessment.weights
    halves = evidence.halves()
    if halves is None or not all(weights[half].any() for half in halves):
        return (None,) * len(assessment.verdicts)
    first, second = (
        _answers(evidence.part(half), weights[half], hiding, options) for half in halves
    )
    return tuple(
        figures.jaccard(one.fit.attributions, other.fit.attributions)
        for one, other in zip(first, second, strict=True)
    )
