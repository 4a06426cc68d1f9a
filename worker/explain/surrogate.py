"""Surrogates: the weighted linear models whose coefficients are the attributions.

All classes are fitted with one factorisation, because they share the samples and their weights.
scikit-learn is imported by the surrogates that need it, when they need it: it takes longer to
import than everything else here together, and most jobs never use it.
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
from worker.explain.selection import SELECTIONS, bayesian_ridge

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
    unstable : bool
        Whether the estimate of the penalty ended where no penalty can be.
    """

    attributions: Floats
    intercept: float
    fitted: Floats
    selected: bool
    smoother: Smoother | None
    unstable: bool = False

    @property
    def surrogate_score(self) -> float:
        """The surrogate's value for the untouched image."""
        return float(self.intercept + self.attributions.sum())


@dataclass(frozen=True, kw_only=True, eq=False)
class Solution:
    """What a surrogate finds for some classes on the p segments that it may use.

    Attributes
    ----------
    coefficients : (p, C) float64
    intercepts : (C,) float64
    smoothers : tuple of C Smoother or None
    unstable : frozenset of int
        Classes for which the estimate of the penalty failed.
    """

    coefficients: Floats
    intercepts: Floats
    smoothers: tuple[Smoother | None, ...]
    unstable: frozenset[int] = frozenset()


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
    chosen = rows[:, features]
    solution = SURROGATES[options.surrogate.method](chosen, scores, weights, options.surrogate)
    fitted = chosen @ solution.coefficients + solution.intercepts
    attributions = np.zeros((scores.shape[1], rows.shape[1]))
    attributions[:, features] = solution.coefficients.T
    return [
        Fit(
            attributions=attributions[number],
            intercept=float(solution.intercepts[number]),
            fitted=fitted[:, number],
            selected=len(features) < rows.shape[1],
            smoother=solution.smoothers[number],
            unstable=number in solution.unstable,
        )
        for number in range(scores.shape[1])
    ]


def _ridge(rows: Floats, scores: Floats, weights: Floats, options: Ridge) -> Solution:
    if options.alpha == 0:
        return _least_squares(rows, scores, weights)
    return _penalised(rows, scores, weights, penalty=options.alpha)


def _normalised_ridge(
    rows: Floats, scores: Floats, weights: Floats, options: NormalisedRidge
) -> Solution:
    return _penalised(rows, scores, weights / weights.sum(), penalty=1.0 / len(weights))


def _ols(rows: Floats, scores: Floats, weights: Floats, options: Ols) -> Solution:
    return _least_squares(rows, scores, weights)


def _lasso(rows: Floats, scores: Floats, weights: Floats, options: Lasso) -> Solution:
    from sklearn.linear_model import Lasso as Model  # noqa: PLC0415 (see the module's text)

    models = [
        Model(
            alpha=options.alpha, fit_intercept=True, max_iter=10_000, tol=1e-6, selection="cyclic"
        ).fit(rows, column, sample_weight=weights)
        for column in scores.T
    ]
    return Solution(
        coefficients=np.stack([model.coef_ for model in models], axis=1),
        intercepts=np.array([model.intercept_ for model in models]),
        smoothers=(None,) * len(models),
    )


def _bayesian_ridge(
    rows: Floats, scores: Floats, weights: Floats, options: BayesianRidge
) -> Solution:
    centred = rows - weights @ rows / weights.sum()
    models = [bayesian_ridge(rows, column, weights) for column in scores.T]
    # Where samples are few, the iteration can end with a precision below zero.
    stable = [bool(model.lambda_ > 0 and model.alpha_ > 0) for model in models]
    return Solution(
        coefficients=np.stack([model.coef_ for model in models], axis=1),
        intercepts=np.array([model.intercept_ for model in models]),
        smoothers=tuple(
            # At the penalty that it estimated this is a ridge, and has a ridge's standard errors.
            _smoother(centred, weights, penalty=model.lambda_ / model.alpha_) if good else None
            for model, good in zip(models, stable, strict=True)
        ),
        unstable=frozenset(number for number, good in enumerate(stable) if not good),
    )


SURROGATES: Mapping[str, Callable[[Floats, Floats, Floats, Any], Solution]] = MappingProxyType(
    {
        "ridge": _ridge,
        "normalised-ridge": _normalised_ridge,
        "ols": _ols,
        "lasso": _lasso,
        "bayesian-ridge": _bayesian_ridge,
    }
)
# Their coefficients are sums over the scores, with factors that do not depend on these.
LINEAR = frozenset({"ridge", "normalised-ridge", "ols"})


def _penalised(rows: Floats, scores: Floats, weights: Floats, *, penalty: float) -> Solution:
    means, centred, levels, moves = _centred(rows, scores, weights)
    smoother = _smoother(centred, weights, penalty=penalty)
    coefficients = smoother.bread @ (centred.T @ (weights[:, None] * moves))
    return Solution(
        coefficients=coefficients,
        intercepts=levels - means @ coefficients,
        smoothers=(smoother,) * scores.shape[1],
    )


def _smoother(centred: Floats, weights: Floats, *, penalty: float) -> Smoother:
    products = centred.T @ (weights[:, None] * centred)
    products[np.diag_indices_from(products)] += penalty
    bread = np.asarray(np.linalg.inv(products), dtype=np.float64)
    return Smoother(weights=weights, centred=centred, bread=bread)


def _least_squares(rows: Floats, scores: Floats, weights: Floats) -> Solution:
    """Fit without a penalty; of several solutions (few samples) take the shortest."""
    means, centred, levels, moves = _centred(rows, scores, weights)
    root = np.sqrt(weights)[:, None]
    left, sizes, right = np.linalg.svd(root * centred, full_matrices=False)
    used = sizes > np.finfo(np.float64).eps * max(centred.shape) * sizes.max()
    left, sizes, right = left[:, used], sizes[used], right[used]
    coefficients = right.T @ ((left.T @ (root * moves)) / sizes[:, None])
    smoother = Smoother(weights=weights, centred=centred, bread=(right.T / sizes**2) @ right)
    return Solution(
        coefficients=coefficients,
        intercepts=levels - means @ coefficients,
        smoothers=(smoother,) * scores.shape[1],
    )


def deviations(scores: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Take the weighted mean off scores (N,) or (N, C), column by column.

    Returns
    -------
    levels : float64 () or (C,)
    moves : float64, as scores
        All zero where the scores differ from their mean by no more than rounding: else a model
        that always says the same would have attributions, of the size of a last bit.
    """
    levels = np.asarray(weights @ scores / weights.sum(), dtype=np.float64)
    moves = scores - levels
    rounding = 1e-12 * np.abs(scores).max(axis=0)
    return levels, np.where(np.abs(moves).max(axis=0) <= rounding, 0.0, moves)


def _centred(
    rows: Floats, scores: Floats, weights: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Take weighted means off: means and centred samples, means and centred scores."""
    means = weights @ rows / weights.sum()
    levels, moves = deviations(scores, weights)
    return means, rows - means, levels, moves
