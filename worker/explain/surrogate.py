"""Surrogates: the weighted linear models whose coefficients are the attributions.

All classes are fitted with one factorisation, because they share the samples and their weights.
scikit-learn is imported inside the two surrogates that need it: it takes longer to import than
everything else in the worker together, and most jobs never use it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.explain.explanation import Floats, Samples
from worker.explain.options import (
    BayesianRidge,
    ExplanationOptions,
    Lasso,
    NormalisedRidge,
    Ols,
    Ridge,
)
from worker.explain.selection import SELECTIONS

Indices = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class Smoother:
    """What makes fitted values of scores, where the fit is linear in them.

    Attributes
    ----------
    weights : (N,) float64
        As used in the fit.
    centred : (N, p) float64
        Samples less their weighted means.
    bread : (p, p) float64
        Inverse of the penalised, weighted cross products of ``centred``.
    """

    weights: Floats
    centred: Floats
    bread: Floats

    @cached_property
    def spread(self) -> Floats:
        """(N, p): ``centred`` times ``bread``."""
        return np.asarray(self.centred @ self.bread, dtype=np.float64)

    @cached_property
    def leverage(self) -> Floats:
        """(N,): how much of a sample's fitted value is its own score, from 0 to 1."""
        own = np.einsum("ij,ij->i", self.spread, self.centred)
        return np.asarray(self.weights * (1.0 / self.weights.sum() + own), dtype=np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """The surrogate of one class.

    Attributes
    ----------
    attributions : (S,) float64
        Zero for segments that were not selected.
    intercept : float
    fitted : (N,) float64
    selected : bool
        Whether some segments were left out because of what the samples showed.
    smoother : Smoother or None
        None where fitted values are not linear in the scores, or the penalty does not apply.
    """

    attributions: Floats
    intercept: float
    fitted: Floats
    selected: bool
    smoother: Smoother | None

    @property
    def surrogate_score(self) -> float:
        """The surrogate's value for the untouched image."""
        return float(self.intercept + self.attributions.sum())


@dataclass(frozen=True, kw_only=True, eq=False)
class _Solution:
    coefficients: Floats  # (p, C)
    smoothers: list[Smoother | None]  # C of them


def fit(
    samples: Samples, scores: Floats, weights: Floats, options: ExplanationOptions
) -> tuple[Fit, ...]:
    """Fit the surrogate of each class.

    Parameters
    ----------
    samples : (N, S) bool
    scores : (N, C) float64
        One column for each class to explain, on the scale asked for.
    weights : (N,) float64
        Proximities.
    options : ExplanationOptions
        ``surrogate``, ``feature_selection``, ``num_features``.

    Returns
    -------
    tuple of C Fit

    Notes
    -----
    The weighted ridge, of which most others are variants: with the weighted means x̄ and ȳ taken
    off samples and scores, β = (XᵀWX + αI)⁻¹ XᵀWy and the intercept is ȳ - x̄β, which carries no
    penalty.
    """
    rows = samples.astype(np.float64)
    select = SELECTIONS[options.feature_selection]
    fits: dict[int, Fit] = {}
    for features, classes in _grouped(
        [select(rows, column, weights, options.num_features) for column in scores.T]
    ):
        part = _fit_group(rows, scores[:, classes], weights, features, options)
        fits.update(zip(classes, part, strict=True))
    return tuple(fits[number] for number in range(scores.shape[1]))


def _grouped(selections: list[Indices]) -> list[tuple[Indices, list[int]]]:
    """Classes that selected the same segments, so that they share a factorisation."""
    groups: dict[bytes, tuple[Indices, list[int]]] = {}
    for number, features in enumerate(selections):
        groups.setdefault(features.tobytes(), (features, []))[1].append(number)
    return list(groups.values())


def _fit_group(
    rows: Floats,
    scores: Floats,
    weights: Floats,
    features: Indices,
    options: ExplanationOptions,
) -> list[Fit]:
    total = weights.sum()
    chosen = rows[:, features]
    means = weights @ chosen / total
    levels = weights @ scores / total
    solve = SURROGATES[options.surrogate.method]
    solution = solve(chosen - means, scores - levels, weights, options.surrogate)
    intercepts = levels - means @ solution.coefficients
    fitted = chosen @ solution.coefficients + intercepts
    attributions = np.zeros((scores.shape[1], rows.shape[1]))
    attributions[:, features] = solution.coefficients.T
    return [
        Fit(
            attributions=attributions[number],
            intercept=float(intercepts[number]),
            fitted=fitted[:, number],
            selected=len(features) < rows.shape[1],
            smoother=solution.smoothers[number],
        )
        for number in range(scores.shape[1])
    ]


def _ridge(centred: Floats, scores: Floats, weights: Floats, options: Ridge) -> _Solution:
    if options.alpha == 0:
        return _least_squares(centred, scores, weights)
    return _penalised(centred, scores, weights, penalty=options.alpha)


def _normalised_ridge(
    centred: Floats, scores: Floats, weights: Floats, options: NormalisedRidge
) -> _Solution:
    shares = weights / weights.sum()
    return _penalised(centred, scores, shares, penalty=1.0 / len(weights))


def _ols(centred: Floats, scores: Floats, weights: Floats, options: Ols) -> _Solution:
    return _least_squares(centred, scores, weights)


def _lasso(centred: Floats, scores: Floats, weights: Floats, options: Lasso) -> _Solution:
    from sklearn.linear_model import Lasso as Model  # noqa: PLC0415 (see the module's text)

    model = Model(
        alpha=options.alpha,
        fit_intercept=False,  # Samples and scores are centred already.
        max_iter=10_000,
        tol=1e-6,
        selection="cyclic",
    )
    columns = [
        model.fit(centred, column, sample_weight=weights).coef_.copy() for column in scores.T
    ]
    return _Solution(coefficients=np.stack(columns, axis=1), smoothers=[None for _ in columns])


def _bayesian_ridge(
    centred: Floats, scores: Floats, weights: Floats, options: BayesianRidge
) -> _Solution:
    from sklearn.linear_model import BayesianRidge as Model  # noqa: PLC0415 (see above)

    columns: list[Floats] = []
    smoothers: list[Smoother | None] = []
    for column in scores.T:
        model = Model(
            max_iter=300, tol=1e-3, alpha_1=1e-6, alpha_2=1e-6, lambda_1=1e-6, lambda_2=1e-6
        )
        model.fit(centred, column, sample_weight=weights)
        # At the penalty that it estimated this is a ridge, and has a ridge's standard errors.
        penalty = float(model.lambda_ / model.alpha_)
        columns.append(np.asarray(model.coef_, dtype=np.float64))
        smoothers.append(_smoother(centred, weights, penalty=penalty))
    return _Solution(coefficients=np.stack(columns, axis=1), smoothers=smoothers)


SURROGATES: Mapping[str, Callable[[Floats, Floats, Floats, Any], _Solution]] = MappingProxyType(
    {
        "ridge": _ridge,
        "normalised-ridge": _normalised_ridge,
        "ols": _ols,
        "lasso": _lasso,
        "bayesian-ridge": _bayesian_ridge,
    }
)


def _penalised(centred: Floats, scores: Floats, weights: Floats, *, penalty: float) -> _Solution:
    smoother = _smoother(centred, weights, penalty=penalty)
    coefficients = smoother.bread @ (centred.T @ (weights[:, None] * scores))
    return _Solution(coefficients=coefficients, smoothers=[smoother] * scores.shape[1])


def _smoother(centred: Floats, weights: Floats, *, penalty: float) -> Smoother:
    products = centred.T @ (weights[:, None] * centred)
    products[np.diag_indices_from(products)] += penalty
    bread = np.asarray(np.linalg.inv(products), dtype=np.float64)
    return Smoother(weights=weights, centred=centred, bread=bread)


def _least_squares(centred: Floats, scores: Floats, weights: Floats) -> _Solution:
    """Without a penalty; of several solutions (fewer samples than segments) the shortest."""
    root = np.sqrt(weights)[:, None]
    left, sizes, right = np.linalg.svd(root * centred, full_matrices=False)
    tiny = np.finfo(np.float64).eps * max(centred.shape) * (sizes[0] if len(sizes) else 0.0)
    used = sizes > tiny
    left, sizes, right = left[:, used], sizes[used], right[used]
    coefficients = right.T @ ((left.T @ (root * scores)) / sizes[:, None])
    bread = (right.T / sizes**2) @ right
    smoother = Smoother(weights=weights, centred=centred, bread=bread)
    return _Solution(coefficients=coefficients, smoothers=[smoother] * scores.shape[1])
