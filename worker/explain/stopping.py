"""When the answer is settled: the segments shown first are those that belong there.

Sampling then ends once the picture as a whole is precise, too: the attributions of all segments
together, which a heat map shows.

A member of the top k is rightly there if no segment outside is stronger. It is settled if that
holds within a tolerance of 10% of the strongest attribution at 95% confidence: were an outsider
stronger by less, nobody would see it in the picture. ``certified`` asks the same at a level that
is corrected (Bonferroni) for k members and for every look that could have been taken, so that it
holds however often one looked.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from worker.explain.explanation import Floats

TOP = 5
TOLERANCE = 0.1
LEVEL = 0.95
# Relative error. At this the demo networks are as near the answer of endless samples as lime after
# its 1000, from a third of the images.
PRECISE = 0.15
LEAST_BLOCKS = 2  # Before the second block there is nothing that a first could be held against.


def is_settled(attributions: Floats, influences: Floats) -> bool:
    """Whether the top segments are rightly there, at 95% for each."""
    return _rightly_there(attributions, influences, level=LEVEL)


def is_certified(attributions: Floats, influences: Floats, *, looks: int) -> bool:
    """Whether they are, with correction for all members and looks.

    Parameters
    ----------
    attributions : (S,) float64
    influences : (G, S) float64
        From ``uncertainty.influence``.
    looks : int
        How often the question could have been asked before the limit of samples.
    """
    comparisons = _top_count(attributions) * looks
    return _rightly_there(attributions, influences, level=1.0 - (1.0 - LEVEL) / comparisons)


def looks(*, limit: int, block: int) -> list[int]:
    """Tell after how many samples to look, the last time at the limit.

    From the second block on after every block, and later after every tenth more: a look takes
    time, and the more samples there are the less a single block can change.
    """
    counts = [min(LEAST_BLOCKS * block, limit)]
    while counts[-1] < limit:
        more = max(counts[-1] // (10 * block), 1)
        counts.append(min(counts[-1] + more * block, limit))
    return counts


def _rightly_there(attributions: Floats, influences: Floats, *, level: float) -> bool:
    count = _top_count(attributions)
    strengths = np.abs(attributions)
    if not strengths.any():
        return True  # The score did not move: no segment is stronger than another.
    order = np.argsort(-strengths, kind="stable")
    top, others = order[:count], order[count:]
    # Turned so that every attribution is positive, a difference of strengths is one of columns.
    turned = influences * np.where(attributions < 0, -1.0, 1.0)
    variances = (turned**2).sum(axis=0)
    shared = turned[:, top].T @ turned[:, others]
    spread = np.sqrt(np.maximum(variances[top, None] + variances[None, others] - 2 * shared, 0.0))
    lead = strengths[top, None] - strengths[None, others] + TOLERANCE * strengths.max()
    return bool((lead >= NormalDist().inv_cdf(level) * spread).all())


def _top_count(attributions: Floats) -> int:
    """Five, but never all of the segments: then there would be nothing to be wrong about."""
    return min(TOP, len(attributions) - 1)
