"""Fit the evidence and judge the fits: the surrogate of each class, with how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

from worker.explain import figures, stopping, uncertainty
from worker.explain.evidence import Evidence
from worker.explain.explanation import Floats
from worker.explain.options import ExplanationOptions
from worker.explain.perturb import Hiding
from worker.explain.proximity import proximities
from worker.explain.surrogate import Fit, fit


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """The surrogate of one class and what is known of its error.

    Attributes
    ----------
    fit : Fit
    scores : (N,) float64
        That were fitted.
    influences : (G, S) float64, or None
        From ``uncertainty.influence``.
    """

    fit: Fit
    scores: Floats
    influences: Floats | None

    @property
    def settled(self) -> bool | None:
        """Whether the top segments are settled; None without influences."""
        if self.influences is None:
            return None
        return stopping.is_settled(self.fit.attributions, self.influences)

    def certified(self, *, looks: int) -> bool | None:
        """Whether they are certified; None without influences."""
        if self.influences is None:
            return None
        return stopping.is_certified(self.fit.attributions, self.influences, looks=looks)


@dataclass(frozen=True, kw_only=True, eq=False)
class Assessment:
    """The evidence of one look, its proximities (N,), and the verdict on each class."""

    evidence: Evidence
    weights: Floats
    verdicts: tuple[Verdict, ...]

    @property
    def is_settled(self) -> bool:
        """Whether every class is."""
        return all(verdict.settled is True for verdict in self.verdicts)


def assess(evidence: Evidence, hiding: Hiding, options: ExplanationOptions) -> Assessment:
    """Fit the surrogate of every class, and see what each sample did to it."""
    weights = proximities(evidence.samples, hiding, options)
    fits = fit(evidence.samples, evidence.scores, weights, options)
    return Assessment(
        evidence=evidence,
        weights=weights,
        verdicts=tuple(
            Verdict(
                fit=one,
                scores=scores,
                influences=uncertainty.influence(one, scores, evidence.clusters),
            )
            for one, scores in zip(fits, evidence.scores.T, strict=True)
        ),
    )


def overlaps_of_halves(
    assessment: Assessment, options: ExplanationOptions
) -> tuple[float | None, ...]:
    """Jaccard@5 between the fits to independent halves of the samples, for each class."""
    evidence, weights = assessment.evidence, assessment.weights
    halves = evidence.halves()
    if halves is None or not all(weights[half].any() for half in halves):
        return (None,) * len(assessment.verdicts)
    first, second = (
        fit(evidence.samples[half], evidence.scores[half], weights[half], options)
        for half in halves
    )
    return tuple(
        figures.jaccard(one.attributions, other.attributions)
        for one, other in zip(first, second, strict=True)
    )
