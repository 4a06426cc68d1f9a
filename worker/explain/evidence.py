"""Evidence: samples with their scores, and what of it is independent of what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.explain import stopping
from worker.explain.explanation import Floats, Progress, Samples
from worker.explain.options import ExplanationOptions
from worker.explain.samplers import SAMPLERS, Block
from worker.explain.scoring import SCALES, Scorer


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """Samples and scores of the explained classes.

    Attributes
    ----------
    samples : (N, S) bool
    scores : (N, C) float64
    clusters : (N,) int
        Ascending; rows of one cluster (a row or a pair) are not independent of each other.
    units : (N,) int
        Ascending; rows of different units are independent.
    first_block : int
        Rows of the first block.
    """

    samples: Samples
    scores: Floats
    clusters: NDArray[np.intp]
    units: NDArray[np.intp]
    first_block: int

    @classmethod
    def of(cls, blocks: Sequence[Block], scores: Floats) -> Evidence:
        """Join the blocks, whose scores come in one array."""
        clusters = _joined([np.arange(len(b.rows)) // (2 if b.paired else 1) for b in blocks])
        balanced = all(block.balanced for block in blocks)
        return cls(
            samples=np.concatenate([block.rows for block in blocks]),
            scores=scores,
            clusters=clusters,
            units=_joined([np.zeros(len(b.rows), dtype=np.intp) for b in blocks])
            if balanced
            else clusters,
            first_block=len(blocks[0].rows),
        )

    @property
    def independent(self) -> int:
        """How many parts are independent of each other: blocks, pairs or rows."""
        return int(self.units[-1]) + 1

    def halves(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
        """Masks of two independent halves: every other unit. None if there is one unit only."""
        odd = self.units % 2 == 1
        return (~odd, odd) if odd.any() else None

    def part(self, rows: NDArray[np.bool_]) -> Evidence:
        """Those samples alone; whole units, so that what is independent stays so."""
        return Evidence(
            samples=self.samples[rows],
            scores=self.scores[rows],
            clusters=np.unique(self.clusters[rows], return_inverse=True)[1],
            units=np.unique(self.units[rows], return_inverse=True)[1],
            first_block=self.first_block,
        )


def gather(
    scorer: Scorer,
    *,
    segments: int,
    classes: Sequence[int],
    options: ExplanationOptions,
    on_progress: Progress,
) -> Iterator[Evidence]:
    """Draw and score samples, and give all evidence so far whenever it is worth a look.

    That is at ``stopping.looks``, and the caller stops when it has seen enough. Where ``stopping``
    is fixed, all samples are scored in one go, which keeps the predictor busiest, and there is one
    look. The last look has ``options.samples`` samples.
    """
    blocks: list[Block] = []
    scores: list[Floats] = []
    done = 0
    for group in _groups(segments, options):

        def report(scored: int, before: int = done) -> None:
            on_progress("sampling", before + scored, options.samples)

        rows = np.concatenate([block.rows for block in group])
        raw = scorer(rows, columns=classes, on_scored=report)
        blocks += group
        scores.append(SCALES[options.score_scale](raw))
        done += len(rows)
        yield Evidence.of(blocks, np.concatenate(scores))


def _groups(segments: int, options: ExplanationOptions) -> Iterator[list[Block]]:
    """Blocks that are scored together: those up to the next look."""
    drawn = SAMPLERS[options.sampler](
        segments=segments,
        limit=options.samples,
        keep_probability=options.keep_probability,
        seed=options.seed,
    )
    if options.stopping == "fixed":
        yield list(drawn)
        return
    group: list[Block] = []
    counts: list[int] = []
    done = 0
    for block in drawn:
        counts = counts or stopping.looks(limit=options.samples, block=len(block.rows))
        group.append(block)
        done += len(block.rows)
        if done in counts:
            yield group
            group = []


def _joined(parts: Sequence[NDArray[np.intp]]) -> NDArray[np.intp]:
    """Join, numbering on from part to part."""
    starts = np.cumsum([0, *(int(part.max()) + 1 for part in parts)])
    return np.concatenate([part + start for part, start in zip(parts, starts, strict=False)])
