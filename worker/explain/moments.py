"""Moments of products of signs, and what of a product the surrogate can follow.

A sample is written as S signs, +1 for a segment that is kept and -1 for one that is hidden: each a
fair coin, and the sample's weight depends on the number of kept segments alone. Then all products
of d signs have the same moments, and these are sums over the number of kept segments.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, lgamma, log

import numpy as np
from numpy.typing import NDArray

from worker.explain.explanation import Floats

HIGHEST = 4


def moments(weights: Floats) -> Floats:
    """Compute the weighted expectation of a product of d different signs, d from 0 to 4.

    Parameters
    ----------
    weights : (S + 1,) float64
        The weight of a sample with 0, 1, … S segments kept. S is 4 at least.

    Returns
    -------
    (5,) float64

    Notes
    -----
    With k signs of +1, the sum of all products of d signs follows from the sums of powers
    ``p = 2k - S`` and ``S`` by Newton's identities.
    """
    size = len(weights) - 1
    counts = np.arange(size + 1.0)
    logs = [lgamma(size + 1) - lgamma(k + 1) - lgamma(size - k + 1) for k in counts]
    chances = np.exp(np.array(logs) - size * log(2.0)) * weights
    chances /= chances.sum()
    p = 2.0 * counts - size
    sums = [
        np.ones_like(p),
        p,
        (p**2 - size) / 2.0,
        (p**3 - 3.0 * p * size + 2.0 * p) / 6.0,
        (p**4 - 6.0 * p**2 * size + 3.0 * size**2 + 8.0 * p**2 - 6.0 * size) / 24.0,
    ]
    return np.array([chances @ row / comb(size, d) for d, row in enumerate(sums)])


@dataclass(frozen=True, kw_only=True)
class Projection:
    """The best weighted linear approximation of a product of d signs.

    It is ``mean + Σ slope (x - sign_mean)``, with one slope for the d segments of the product and
    another for all others: the others are alike.

    Attributes
    ----------
    mean, sign_mean : float
        Expectation of the product, and of a single sign.
    inside, outside : float
        Slopes of the segments in the product, and of those that are not.
    """

    mean: float
    sign_mean: float
    inside: float
    outside: float

    @classmethod
    def of(cls, degree: int, segments: int, moment: Floats) -> Projection:
        """Solve the normal equations; ``moment`` is from ``moments``, ``degree`` at most 3."""
        mean, sign_mean = moment[degree], moment[1]
        variance, covariance = 1.0 - sign_mean**2, moment[2] - sign_mean**2
        # A sign times a product that has it is the product without it.
        inside = moment[degree - 1] - mean * sign_mean
        outside = moment[degree + 1] - mean * sign_mean
        # The covariance matrix is (variance - covariance) I + covariance 11ᵀ.
        own = variance - covariance
        total = (degree * inside + (segments - degree) * outside) / (own + segments * covariance)
        return cls(
            mean=float(mean),
            sign_mean=float(sign_mean),
            inside=float((inside - covariance * total) / own),
            outside=float((outside - covariance * total) / own),
        )

    def __call__(self, members: NDArray[np.intp], coefficients: Floats, signs: Floats) -> Floats:
        """Project a sum of products.

        Parameters
        ----------
        members : (F, d) int
            The segments of each product.
        coefficients : (F,) float64
        signs : (n, S) float64

        Returns
        -------
        (n,) float64
        """
        total = coefficients.sum()
        of_members = sum(
            np.bincount(column, weights=coefficients, minlength=signs.shape[1])
            for column in members.T
        )
        slopes = self.outside * total + (self.inside - self.outside) * of_members
        return np.asarray(self.mean * total + (signs - self.sign_mean) @ slopes, dtype=np.float64)
