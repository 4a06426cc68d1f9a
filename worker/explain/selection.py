"""Feature selection: which segments the surrogate may use, chosen from the same samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.explain.explanation import Floats
from worker.explain.threads import one_thread

Indices = NDArray[np.intp]

# Up to this many features the lime package adds one after another; for more it takes the
# largest coefficients of one fit.
_FORWARD_AT_MOST = 6


def _none(rows: Floats, scores: Floats, weights: Floats, num_features: int | None) -> Indices:
    return np.arange(rows.shape[1])


def _lime_auto(rows: Floats, scores: Floats, weights: Floats, num_features: int | None) -> Indices:
    """As method ``auto`` of the lime package, whose own limit of 100,000 keeps all segments."""
    if num_features is None or num_features >= rows.shape[1]:
        return np.arange(rows.shape[1])
    if num_features <= _FORWARD_AT_MOST:
        return _forward(rows, scores, weights, num_features)
    cross, towards, _ = _moments(rows, scores, weights)
    cross[np.diag_indices_from(cross)] += 0.01
    return _largest(np.asarray(np.linalg.solve(cross, towards), dtype=np.float64), num_features)


def _visualime(rows: Floats, scores: Floats, weights: Floats, num_features: int | None) -> Indices:
    """Take the largest coefficients of a BayesianRidge, weighted as visualime 0.1.0 does it here.

    Its distance for this step lacks a division by √S, so that the weights are next to nothing.
    We keep that, to agree with the package; the fit that follows has proper weights.
    """
    kept = rows.sum(axis=1)
    distance = 1.0 - kept / (np.sqrt(kept) + 1e-6)
    exponent = -(distance**2) / 0.25**2
    own = np.sqrt(np.exp(exponent))
    if not own.any():
        # With some 60 kept segments and more every weight underflows, and the package fails. The
        # weights relative to the largest are the same ones before they were rounded to zero.
        own = np.sqrt(np.exp(exponent - exponent.max()))
    model = bayesian_ridge(rows, scores, own)
    count = num_features or max(rows.shape[1] // 2, 1)
    return _largest(model.coef_, min(count, rows.shape[1]))


def bayesian_ridge(rows: Floats, scores: Floats, weights: Floats) -> Any:
    """Fit scikit-learn's BayesianRidge, with its defaults written out.

    Its iteration can be unstable where samples are few: a last bit then changes the result. So it
    is given samples and scores as they are, which is what the visualime package gives it too.
    """
    from sklearn.linear_model import BayesianRidge  # noqa: PLC0415 (slow to import, seldom used)

    model = BayesianRidge(
        max_iter=300,
        tol=1e-3,
        alpha_1=1e-6,
        alpha_2=1e-6,
        lambda_1=1e-6,
        lambda_2=1e-6,
        alpha_init=None,
        lambda_init=None,
        fit_intercept=True,
    )
    with one_thread():  # The import may have loaded another BLAS.
        return model.fit(rows, scores, sample_weight=weights)


SELECTIONS: Mapping[str, Callable[[Floats, Floats, Floats, int | None], Indices]] = (
    MappingProxyType({"none": _none, "lime-auto": _lime_auto, "visualime": _visualime})
)


def _forward(rows: Floats, scores: Floats, weights: Floats, count: int) -> Indices:
    """Add the segment that raises R² most, ``count`` times.

    R² needs only the cross products, so each candidate costs the solution of a small system.
    """
    cross, towards, total = _moments(rows, scores, weights)
    chosen: list[int] = []
    for _ in range(count):
        best, best_score = 0, -np.inf
        for candidate in sorted(set(range(rows.shape[1])) - set(chosen)):
            columns = [*chosen, candidate]
            solution, *_ = np.linalg.lstsq(
                cross[np.ix_(columns, columns)], towards[columns], rcond=None
            )
            score = float(towards[columns] @ solution) / total if total > 0 else 0.0
            if score > best_score:
                best, best_score = candidate, score
        chosen.append(best)
    return np.sort(np.asarray(chosen, dtype=np.intp))


def _moments(rows: Floats, scores: Floats, weights: Floats) -> tuple[Floats, Floats, float]:
    """Weighted cross products of centred samples, those with the score, and the score's own."""
    total = weights.sum()
    centred = rows - weights @ rows / total
    moved = scores - weights @ scores / total
    weighted = weights[:, None] * centred
    return centred.T @ weighted, weighted.T @ moved, float(weights @ moved**2)


def _largest(coefficients: Floats, count: int) -> Indices:
    """Tell the indices of the largest magnitudes, ascending; of equal ones the first."""
    return np.sort(np.argsort(-np.abs(coefficients), kind="stable")[:count])
