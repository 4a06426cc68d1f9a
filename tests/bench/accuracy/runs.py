"""Ours and lime's answers on one photograph: at any number of calls, and after very many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.bench.accuracy.networks import Network
from tests.bench.accuracy.photographs import photograph
from tests.bench.accuracy.scores import Scored
from worker.explain import figures, stopping
from worker.explain.assessment import Assessment, assess
from worker.explain.baselines import baseline_image
from worker.explain.evidence import Evidence
from worker.explain.explanation import Floats
from worker.explain.options import ExplanationOptions
from worker.explain.perturb import Hiding
from worker.explain.presets import resolve
from worker.explain.samplers import SAMPLERS, Block
from worker.explain.scoring import Scorer
from worker.explain.segments import segment

SEEDS: Final = range(10)
LIMIT: Final = 1000
REFERENCE_CALLS: Final = 16_000
REFERENCE_SEED: Final = 20_000
# A job also scores the hidden image, and the untouched one alone and twice among others.
ENDS: Final = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Method:
    """A way to explain one photograph: its options, and what it has the network score.

    Attributes
    ----------
    estimates : Method or None
        The method whose quantity this one estimates, if that is not its own.
    """

    options: ExplanationOptions
    scored: Scored
    estimates: Method | None = None

    @property
    def segments(self) -> int:
        """S."""
        return self.scored.hiding.segment_count

    def looks(self, seed: int) -> Iterator[Assessment]:
        """Judge the evidence as often as a job does."""
        blocks = self._blocks(seed=seed, limit=LIMIT)
        scores = self.scored(np.concatenate([block.rows for block in blocks]))
        used = np.cumsum([len(block.rows) for block in blocks])
        for count in stopping.looks(limit=LIMIT, block=len(blocks[0].rows)):
            drawn = blocks[: int(np.searchsorted(used, count)) + 1]
            yield self._assess(drawn, scores[:count])

    @cached_property
    def reference(self) -> Floats:
        """Attributions (S,) after ``REFERENCE_CALLS`` samples."""
        if self.estimates is not None:
            return self.estimates.reference
        blocks = self._blocks(seed=REFERENCE_SEED, limit=REFERENCE_CALLS)
        scores = self.scored(np.concatenate([block.rows for block in blocks]))
        return attributions(self._assess(blocks, scores))

    def error(self, assessment: Assessment) -> float:
        """Distance to the reference, relative to the reference's length."""
        away = np.linalg.norm(attributions(assessment) - self.reference)
        return float(away / np.linalg.norm(self.reference))

    def areas(self, assessment: Assessment) -> dict[str, float]:
        """Insertion and deletion AUC of an answer."""
        ends = np.repeat([[True], [False]], self.segments, axis=1)
        whole, hidden = self.scored(ends)
        ranked = figures.ranking_samples(attributions(assessment))
        random = figures.random_samples(self.segments, seed=0)
        return figures.insertion_deletion(
            figures.Steps(ranked, self.scored(ranked)),
            figures.Steps(random, self.scored(random)),
            areas=self.scored.hiding.areas,
            score=float(whole),
            hidden_score=float(hidden),
        )

    def _blocks(self, *, seed: int, limit: int) -> list[Block]:
        return list(
            SAMPLERS[self.options.sampler](
                segments=self.segments,
                limit=limit,
                keep_probability=self.options.keep_probability,
                seed=seed,
            )
        )

    def _assess(self, blocks: list[Block], scores: Floats) -> Assessment:
        evidence = Evidence.of(blocks, scores[:, None])
        return assess(evidence, self.scored.hiding, self.options)


def attributions(assessment: Assessment) -> Floats:
    """Attributions (S,) of the one class."""
    return assessment.verdicts[0].fit.attributions


def calls(assessment: Assessment) -> int:
    """Images that a job would have had scored for this answer."""
    return len(assessment.evidence.samples) + ENDS


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """One photograph on one network: ours, lime's, and our sampler on lime's segments."""

    ours: Method
    lime: Method
    same_segments: Method


def picture(network: Network, name: str) -> Picture:
    """Prepare a photograph; the class that is explained is the network's first."""
    image = photograph(name, network.input_size)
    best = _first_class(network, image)

    def scored(options: ExplanationOptions) -> Scored:
        segments = segment(image, options.segmentation, custom=None)
        baseline = baseline_image(image, segments, options.baseline)
        hiding = Hiding(image=image, baseline=baseline, segments=segments)
        return Scored(network=network, hiding=hiding, class_index=best)

    default = resolve("default", {"samples": LIMIT})
    ours = Method(options=default, scored=scored(default))
    lime = Method(options=resolve("lime", {}), scored=scored(resolve("lime", {})))
    # Our sampler and nothing else of ours.
    drawn = Method(
        options=resolve("lime", {"sampler": "orthogonal"}), scored=lime.scored, estimates=lime
    )
    return Picture(ours=ours, lime=lime, same_segments=drawn)


def _first_class(network: Network, image: NDArray[np.uint8]) -> int:
    whole = np.zeros(image.shape[:2], dtype=np.int32)
    scorer = Scorer(Hiding(image=image, baseline=image, segments=whole), network, batch_size=1)
    (scores,) = scorer(np.array([[True]]))
    return int(np.argmax(scores))
