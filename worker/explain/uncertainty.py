"""How sure the attributions are: sandwich standard errors, clustered by pairs of samples.

The surrogate is never exactly right, and its errors are larger for some samples than for others.
The sandwich estimate holds all the same: it adds up what each independent cluster of samples did
to the coefficients. Residuals are smaller than errors, the more so the more a sample decides its
own fitted value; Bell and McCaffrey (2002) scale them by the inverse square root of one less the
leverage of the cluster (known as CR2, for single rows HC2), and so do we.
"""

from __future__ import annotations

from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from worker.explain.explanation import Floats
from worker.explain.surrogate import Fit, Smoother

# Less room than this for a residual, and the samples say nothing about the error.
_NO_ROOM = 1e-9


def influence(fit: Fit, scores: Floats, clusters: NDArray[np.intp]) -> Floats | None:
    """Tell what each independent cluster of samples contributes to each attribution's error.

    Parameters
    ----------
    fit : Fit
    scores : (N,) float64
        That were fitted.
    clusters : (N,) int
        Ascending from 0 without a gap; rows of one cluster, two at most, are not independent.

    Returns
    -------
    (G, S) float64, or None
        Its cross products are the covariance of the attributions. None where the surrogate has no
        such estimate: see ``ClassExplanation``.
    """
    if fit.smoother is None or fit.selected:
        return None
    scaled = _scaled_residuals(fit.smoother, scores - fit.fitted, clusters)
    if scaled is None:
        return None
    rows = (np.sqrt(fit.smoother.weights) * scaled)[:, None] * fit.smoother.spread
    return np.add.reduceat(rows, np.flatnonzero(np.diff(clusters, prepend=-1)), axis=0)


def standard_errors(influences: Floats) -> Floats:
    """(S,): root of the diagonal of the covariance."""
    return np.asarray(np.sqrt((influences**2).sum(axis=0)), dtype=np.float64)


def relative_error(attributions: Floats, influences: Floats) -> float | None:
    """Tell how far all attributions together may be off, as a share of their length.

    The root of the summed squares of the standard errors over that of the attributions: about the
    distance to the answer of endlessly many samples. None where all attributions are zero.
    """
    length = float(np.linalg.norm(attributions))
    return float(np.linalg.norm(influences)) / length if length > 0 else None


def sign_confidence(attributions: Floats, errors: Floats) -> Floats:
    """(S,): probability, by the normal distribution, that an attribution has the sign it shows."""
    ratios = np.divide(
        np.abs(attributions), errors, out=np.zeros_like(attributions), where=errors > 0
    )
    return np.array([0.5 * (1.0 + erf(ratio / sqrt(2.0))) for ratio in ratios])


def _scaled_residuals(
    smoother: Smoother, residuals: Floats, clusters: NDArray[np.intp]
) -> Floats | None:
    root = np.sqrt(smoother.weights)
    room = 1.0 - smoother.leverage
    if room.min() < _NO_ROOM:
        return None
    weighted = root * residuals
    scaled = weighted / np.sqrt(room)
    second = np.flatnonzero(np.diff(clusters, prepend=-1) == 0)
    if not len(second):
        return scaled
    first = second - 1
    shared = np.einsum("ij,ij->i", smoother.spread[first], smoother.centred[second])
    across = -root[first] * root[second] * (1.0 / smoother.weights.sum() + shared)
    # The inverse root of the 2 by 2 matrix A = [[room₁, across], [across, room₂]]. With s = √det A
    # and t = √(trace A + 2s), √A = (A + sI) / t and its determinant is s.
    determinant = room[first] * room[second] - across**2
    if determinant.min() < _NO_ROOM:
        return None
    s = np.sqrt(determinant)
    st = s * np.sqrt(room[first] + room[second] + 2.0 * s)
    scaled[first] = ((room[second] + s) * weighted[first] - across * weighted[second]) / st
    scaled[second] = ((room[first] + s) * weighted[second] - across * weighted[first]) / st
    return scaled
