"""Figures that say how far an explanation can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from worker.explain.explanation import Floats, Samples
from worker.explain.stopping import TOLERANCE, TOP
from worker.explain.surrogate import Fit, deviations

RANDOM_ORDERS = 3

# Leave-one-out residuals are residuals divided by one less the leverage; below this there is no
# telling one from the other.
_NO_ROOM = 1e-9
_ROUNDING = 1e-6  # Of float32, with room for a sum or two.


def r2(scores: Floats, fitted: Floats, weights: Floats) -> float:
    """Compute the weighted share of the scores' variation that the surrogate reproduces, in sample.

    ``1 - Σπ(y - ŷ)² / Σπ(y - ȳ)²``; 0 for a score that did not move.
    """
    variation = _variation(scores, weights)
    if variation == 0:
        return 0.0
    return float(1.0 - weights @ (scores - fitted) ** 2 / variation)


def press_r2(
    fit: Fit, scores: Floats, weights: Floats, *, fitted_to: Floats | None = None
) -> float | None:
    """Compute R² with each sample predicted by the fit to all others (PRESS).

    With a fixed penalty the prediction without a sample follows from its leverage h: the residual
    becomes ``(y - ŷ) / (1 - h)`` (Allen, 1974). None where that does not hold.

    Parameters
    ----------
    fit : Fit
    scores, weights : (N,) float64
    fitted_to : (N,) float64, optional
        What the surrogate was fitted to, where that is not the scores that it has to predict.
    """
    variation = _variation(scores, weights)
    if fit.smoother is None or fit.selected or variation == 0:
        return None
    room = 1.0 - fit.smoother.leverage
    if room.min() < _NO_ROOM:
        return None
    own = scores if fitted_to is None else fitted_to
    without = fit.fitted - fit.smoother.leverage / room * (own - fit.fitted)
    return float(1.0 - weights @ (scores - without) ** 2 / variation)


def moved(scores: Floats) -> bool:
    """Whether hiding segments changed the score by more than float32 rounds.

    ``max y - min y > 10⁻⁶ max |y|``
    """
    return bool(np.ptp(scores) > _ROUNDING * np.abs(scores).max())


def jaccard(first: Floats, second: Floats) -> float | None:
    """Overlap of the top five of two attributions, ``|A ∩ B| / |A ∪ B|``.

    A and B are the five strongest segments of either, of those that are at least a tenth as strong
    as its strongest: ``|a_s| ≥ 0.1 max |a|``. What is weaker is taken for zero, as it is when an
    answer is called settled (``stopping.TOLERANCE``): which of many zeros comes fifth says nothing.

    None for five segments or fewer, whose top five are always the same, or where neither has any.
    """
    if len(first) <= TOP:
        return None
    one, two = _top(first), _top(second)
    return len(one & two) / len(one | two) if one or two else None


class Steps(NamedTuple):
    """Samples (n, S) in orders of hiding, and their scores (n,)."""

    samples: Samples
    scores: Floats

    def split(self, parts: int) -> Iterator[Steps]:
        """Give the orders one by one; all have the same number of steps."""
        cut = zip(np.split(self.samples, parts), np.split(self.scores, parts), strict=True)
        return (Steps(*part) for part in cut)


def ranking_samples(attributions: Floats) -> Samples:
    """Make the samples that insertion and deletion need for one class, ends left out.

    The first S-1 hide 1, 2, … segments, the strongest attribution first (deletion); the others
    show 1, 2, … segments, the strongest first (insertion).
    """
    deletion = _deletion(_order(attributions))
    return np.concatenate([deletion, ~deletion])


def random_samples(segments: int, *, seed: int) -> Samples:
    """Make samples that delete in random orders: S-1 for each of ``RANDOM_ORDERS`` orders."""
    rng = np.random.default_rng(seed)
    return np.concatenate([_deletion(rng.permutation(segments)) for _ in range(RANDOM_ORDERS)])


def insertion_deletion(
    ranked: Steps, random: Steps, *, areas: Floats, score: float, hidden_score: float
) -> dict[str, float]:
    """Areas under the curves of score against the share of pixels inserted or deleted.

    A good explanation has a large insertion and a small deletion area (Petsiuk et al., 2018, there
    pixel by pixel, here by segments). As the share is one of pixels, segmentations can be compared:
    whoever has one huge segment does not show half of the image in a single step.

    Parameters
    ----------
    ranked, random : Steps
        ``ranking_samples`` and ``random_samples`` with their scores.
    areas : (S,) float64
        The segments' shares of the pixels.
    score, hidden_score : float
        The ends of every curve.

    Returns
    -------
    dict
        ``insertion_auc``, ``deletion_auc``, and ``random_auc`` of the random orders. One number
        stands for both directions: to insert in an order is to delete in the reverse one.
    """
    ends = score, hidden_score
    deletion, insertion = ranked.split(2)
    orders = [_area(steps, areas, *ends) for steps in random.split(RANDOM_ORDERS)]
    return {
        "insertion_auc": _area(insertion, areas, *ends),
        "deletion_auc": _area(deletion, areas, *ends),
        "random_auc": float(np.mean(orders)),
    }


def _top(attributions: Floats) -> set[int]:
    strengths = np.abs(attributions)
    least = TOLERANCE * strengths.max()
    return {int(s) for s in _order(strengths)[:TOP] if strengths[s] > 0 and strengths[s] >= least}


def _variation(scores: Floats, weights: Floats) -> float:
    """Σπ(y - ȳ)², or 0 where the scores differ by no more than rounding."""
    _, moves = deviations(scores, weights)
    return float(weights @ moves**2)


def _order(values: Floats) -> NDArray[np.intp]:
    """Sort indices by value, the largest first, of equal ones the lower index first."""
    return np.argsort(-values, kind="stable")


def _deletion(order: NDArray[np.intp]) -> Samples:
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    kept: Samples = rank[None, :] >= np.arange(1, len(order))[:, None]
    return kept


def _area(steps: Steps, areas: Floats, score: float, hidden_score: float) -> float:
    """Trapezoids over the share of pixels shown, which is from 0 to 1.

    To integrate over the share that is hidden instead gives the same.
    """
    shown = steps.samples @ areas
    order = np.argsort(shown, kind="stable")
    across = np.concatenate([[0.0], shown[order], [1.0]])
    heights = np.concatenate([[hidden_score], steps.scores[order], [score]])
    return float(np.diff(across) @ (heights[1:] + heights[:-1]) / 2.0)
