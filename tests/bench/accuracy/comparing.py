"""What the runs of one photograph on one network say: how many calls, how stable, how right."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np

from tests.bench.accuracy.networks import network
from tests.bench.accuracy.runs import (
    SEEDS,
    Method,
    attributions,
    calls,
    picture,
)
from worker.explain import figures, stopping
from worker.explain.assessment import Assessment
from worker.explain.explanation import Floats

Looks = Sequence[Assessment]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One photograph on one network. Medians are over seeds; errors are relative.

    Attributes
    ----------
    calls_to_match : int or None
        Images after which our median error is no larger than lime's at its default; None if it
        is not reached within the limit.
    calls_same_segments : int or None
        The same on lime's segments, for the same quantity.
    certified_right, certified : int
        Of the runs that were certified within the limit, those whose five members all belong: each
        is within the tolerance of the reference's fifth.
    settled_right, settled : int
        The same of the runs that were settled within the limit.
    lime_right : int
        Of lime's runs, those whose five members belong by lime's own reference.
    """

    network: str
    photograph: str
    class_index: int
    segments: int
    lime_segments: int
    lime_error: float
    error_at_limit: float
    error_at_default: float
    default_calls: float
    calls_to_match: int | None
    calls_same_segments: int | None
    insertion_auc: float
    deletion_auc: float
    lime_insertion_auc: float
    lime_deletion_auc: float
    stability_at_default: float
    stability_at_limit: float
    lime_stability: float
    certified: int
    certified_right: int
    settled: int
    settled_right: int
    lime_right: int

    @property
    def counts(self) -> bool:
        """Whether ours asks as much of the picture as lime and ranks it no worse."""
        return (
            self.segments >= 0.8 * self.lime_segments
            and self.insertion_auc >= self.lime_insertion_auc
            and self.deletion_auc <= self.lime_deletion_auc
        )

    def as_row(self) -> dict[str, object]:
        """JSON values."""
        rounded = {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }
        return {**rounded, "counts": self.counts}


def compare(network_name: str, photograph: str) -> Comparison:
    """Have scored what is not on disk yet, and compare."""
    subject = picture(network(network_name), photograph)
    ours = [list(subject.ours.looks(seed)) for seed in SEEDS]
    drawn = [list(subject.same_segments.looks(seed)) for seed in SEEDS]
    lime = [list(subject.lime.looks(seed))[-1] for seed in SEEDS]
    settled = [one for looks in ours if (one := _first(looks, "settled")) is not None]
    default = [_first(looks, "settled") or looks[-1] for looks in ours]
    limit = [looks[-1] for looks in ours]
    lime_error = _median(subject.lime.error, lime)
    areas, lime_areas = _areas(subject.ours, default), _areas(subject.lime, lime)
    certified = [one for looks in ours if (one := _first(looks, "certified")) is not None]
    return Comparison(
        network=network_name,
        photograph=photograph,
        class_index=subject.ours.scored.class_index,
        segments=subject.ours.segments,
        lime_segments=subject.lime.segments,
        lime_error=lime_error,
        error_at_limit=_median(subject.ours.error, limit),
        error_at_default=_median(subject.ours.error, default),
        default_calls=statistics.median(map(calls, default)),
        calls_to_match=_first_within(lime_error, subject.ours, ours),
        calls_same_segments=_first_within(lime_error, subject.same_segments, drawn),
        insertion_auc=areas["insertion_auc"],
        deletion_auc=areas["deletion_auc"],
        lime_insertion_auc=lime_areas["insertion_auc"],
        lime_deletion_auc=lime_areas["deletion_auc"],
        stability_at_default=_stability(default),
        stability_at_limit=_stability(limit),
        lime_stability=_stability(lime),
        certified=len(certified),
        certified_right=sum(_is_right(one, subject.ours) for one in certified),
        settled=len(settled),
        settled_right=sum(_is_right(one, subject.ours) for one in settled),
        lime_right=sum(_is_right(one, subject.lime) for one in lime),
    )


def _first_within(error: float, method: Method, runs: Sequence[Looks]) -> int | None:
    for looks in zip(*runs, strict=True):
        if _median(method.error, looks) <= error:
            return calls(looks[0])
    return None


def _median(measure: Callable[[Assessment], float], answers: Looks) -> float:
    return statistics.median(map(measure, answers))


def _areas(method: Method, answers: Looks) -> dict[str, float]:
    found = [method.areas(one) for one in answers]
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


def _first(looks: Looks, rule: str) -> Assessment | None:
    return next((look for look in looks if look.ends(rule)), None)


def _is_right(answer: Assessment, method: Method) -> bool:
    """Whether each of the top five is within the tolerance of the reference's fifth."""
    true = np.abs(method.reference)
    members = np.argsort(-np.abs(attributions(answer)), kind="stable")[: stopping.TOP]
    fifth = np.sort(true)[::-1][: stopping.TOP][-1]
    return bool((true[members] >= fifth - stopping.TOLERANCE * true.max()).all())


def _stability(answers: Looks) -> float:
    pairs = combinations([attributions(one) for one in answers], 2)
    overlaps = [_overlap(one, other) for one, other in pairs]
    return statistics.fmean(overlaps)


def _overlap(one: Floats, other: Floats) -> float:
    found = figures.jaccard(one, other)
    return 1.0 if found is None else found
