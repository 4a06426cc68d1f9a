"""Fit the evidence and judge the fits: the surrogate of each class, with how sure it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

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
    looks : int
        How often the verdict could have been asked for before the limit of samples.
    has_blocks : bool
        Whether there are the blocks that a verdict needs.
    """

    fit: Fit
    scores: Floats
    influences: Floats | None
    looks: int
    has_blocks: bool

    @property
    def settled(self) -> bool | None:
        """Whether the top segments are settled; None without influences."""
        if self.influences is None:
            return None
        return self.has_blocks and stopping.is_settled(self.fit.attributions, self.influences)

    @property
    def certified(self) -> bool | None:
        """Whether they are certified; None without influences."""
        if self.influences is None:
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


RULES: Mapping[str, Callable[[Verdict], bool | None]] = MappingProxyType(
    {
        "settled": lambda verdict: verdict.settled,
        "certified": lambda verdict: verdict.certified,
        "fixed": lambda verdict: False,
    }
)


def assess(evidence: Evidence, hiding: Hiding, options: ExplanationOptions) -> Assessment:
    """Fit the surrogate of every class, and see what each sample did to it."""
    weights = proximities(evidence.samples, hiding, options)
    fits = fit(evidence.samples, evidence.scores, weights, options)
    looks = 1
    if options.stopping != "fixed":
        looks = stopping.looks(limit=options.samples, block=evidence.first_block)
    return Assessment(
        evidence=evidence,
        weights=weights,
        verdicts=tuple(
            Verdict(
                fit=one,
                scores=scores,
                influences=uncertainty.influence(one, scores, evidence.clusters),
                looks=looks,
                has_blocks=evidence.independent >= stopping.LEAST_BLOCKS,
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
