"""Figures that say how far an explanation can be trusted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from worker.explain.explanation import Floats, Samples
from worker.explain.stopping import TOP
from worker.explain.surrogate import Fit, deviations

RANDOM_ORDERS = 3

# Leave-one-out residuals are residuals divided by one less the leverage; below this there is no
# telling one from the other.
_NO_ROOM = 1e-9


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


def moved(scores: Floats, weights: Floats) -> bool:
    """Whether hiding segments changed the score at all."""
    return _variation(scores, weights) > 0


def jaccard(first: Floats, second: Floats) -> float | None:
    """Overlap of the top five of two attributions: shared segments over segments in either.

    None for five segments or fewer, whose top five are always the same.
    """
    if len(first) <= TOP:
        return None
    one, two = set(_order(np.abs(first))[:TOP]), set(_order(np.abs(second))[:TOP])
    return len(one & two) / len(one | two)


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
    ranked: Floats, random: Floats, *, score: float, hidden_score: float
) -> dict[str, float]:
    """Areas under the curves of score against the share of segments inserted or deleted.

    A good explanation has a large insertion and a small deletion area (Petsiuk et al., 2018, there
    over pixels, here over segments).

    Parameters
    ----------
    ranked, random : float64
        Scores of ``ranking_samples`` and ``random_samples``.
    score, hidden_score : float
        The ends of every curve.

    Returns
    -------
    dict
        ``insertion_auc``, ``deletion_auc``, and ``random_auc`` of the random orders. One number
        stands for both directions: to insert in an order is to delete in the reverse one.
    """
    deletion, insertion = np.split(ranked, 2)
    areas = [_area(score, curve, hidden_score) for curve in np.split(random, RANDOM_ORDERS)]
    return {
        "insertion_auc": _area(hidden_score, insertion, score),
        "deletion_auc": _area(score, deletion, hidden_score),
        "random_auc": float(np.mean(areas)),
    }


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


def _area(first: float, between: Floats, last: float) -> float:
    """Trapezoids of equal width over [0, 1]."""
    return float((0.5 * (first + last) + between.sum()) / (len(between) + 1))
