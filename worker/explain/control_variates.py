"""Control variates: what segments do together, taken off the scores before the surrogate is fitted.

An attribution is an average over samples, and what makes it uncertain is all that the surrogate
cannot follow: to a linear model, whatever segments do only together is noise. Part of it can be
foreseen. The effect of a product of two or three signs (+1 kept, -1 hidden) is estimated, and of
what it does to each score the linear part is left, which is known exactly (see ``moments``), and
the rest is taken off. The quantity that is estimated stays the same, and has less noise.

For a sample the effects are estimated from other samples only, of other folds. So the adjusted
scores are as unbiased as the scores, and the usual standard errors hold for a fit to them
(splitting: Avramidis and Wilson, 1993).

Samples come in pairs that complement each other. Half the difference of a pair's scores has
nothing of pairs of segments, and half their sum nothing of single segments and triples, so each
kind is estimated by itself. There are more products than samples, so they are penalised: those
are thought to matter most whose segments matter by themselves (heredity: Chipman, 1996) and lie
near each other, as networks look at neighbourhoods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from worker.explain.evidence import Evidence
from worker.explain.explanation import Floats, Segments
from worker.explain.moments import HIGHEST, Projection, moments

Indices = NDArray[np.intp]

# Of the strongest segments only: products of all 2000 could not be listed.
STRONGEST = 40
# By degree. Twice as many lower the variance by one in a hundred more.
MOST_PRODUCTS: Mapping[int, int] = MappingProxyType({2: 100, 3: 300})
# The penalties are the variance that is left over the variance that is foreseen. Of these values
# the one is taken that leaves the smallest standard errors: measured, one for all pictures loses.
TRIPLE_PENALTIES = (0.3, 3.0)
PAIR_PENALTIES = (0.3,)
# A segment without effect of its own may still have one together with others.
LEAST_STRENGTH = 0.1
# The distance at which an interaction is thought to fade, in widths of a segment.
REACH = 2.0
# More folds foresee no better and take longer.
MOST_FOLDS = 20


class _Products(NamedTuple):
    """Products of d signs that may matter.

    Attributes
    ----------
    members : (F, d) int
    spread : (F,) float64
        How large the effect of each is thought to be, in comparison; the squares add up to 1.
    """

    members: Indices
    spread: Floats


class _Foreseen(NamedTuple):
    """What to take off the scores of the first and the second sample of each pair, (m,) float64."""

    first: Floats
    second: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class ControlVariates:
    """Products of signs of samples that come in pairs of a sample and its complement.

    Attributes
    ----------
    first, second : (m,) int
        Which samples are pairs.
    folds : (m,) int
        Ascending from 0 without a gap; pairs of different folds are independent.
    signs : (m, S) float64
        Of the first of each pair; the second has the opposite ones.
    moments : (5,) float64
        Of such samples: see ``moments``.
    centres : (S, 2) float64
        Of the segments, in widths of a segment.
    """

    first: Indices
    second: Indices
    folds: Indices
    signs: Floats
    moments: Floats
    centres: Floats

    @classmethod
    def of(
        cls, evidence: Evidence, *, segments: Segments, weights: Floats
    ) -> ControlVariates | None:
        """Make them.

        Parameters
        ----------
        evidence : Evidence
            Samples whose every row is S fair coins.
        segments : (H, W) int
        weights : (S + 1,) float64
            The weight of a sample with 0, 1, … S segments kept.

        Returns
        -------
        ControlVariates or None
            None where samples do not come in complementary pairs, no two folds are independent, or
            there are fewer than four segments.
        """
        count = len(weights) - 1
        first = np.flatnonzero(np.diff(evidence.clusters) == 0)
        second = first + 1
        if count < HIGHEST or not len(first):
            return None
        if (evidence.samples[first] == evidence.samples[second]).any():
            return None
        shares = evidence.units[first] * min(MOST_FOLDS, evidence.independent)
        folds = np.unique(shares // evidence.independent, return_inverse=True)[1]
        if folds[-1] == 0:
            return None
        return cls(
            first=first,
            second=second,
            folds=folds,
            signs=np.where(evidence.samples[first], 1.0, -1.0),
            moments=moments(weights),
            centres=_centres(segments, count),
        )

    def adjusted(self, scores: Floats, attributions: Floats) -> list[Floats]:
        """Take what can be foreseen off the scores, in each of the ways between which to choose.

        Parameters
        ----------
        scores : (N,) float64
        attributions : (S,) float64
            Of a first fit to the scores.

        Returns
        -------
        list of (N,) float64
            Empty if no segment has an attribution.
        """
        strengths = np.abs(attributions)
        if not strengths.any():
            return []
        strengths = strengths / strengths.max()
        one, other = scores[self.first], scores[self.second]
        triples = self._foreseen(3, strengths, (one - other) / 2.0, TRIPLE_PENALTIES)
        pairs = self._foreseen(2, strengths, (one + other) / 2.0, PAIR_PENALTIES)
        ways = []
        for parts in product([None, *triples], [None, *pairs]):
            chosen = [part for part in parts if part is not None]
            if chosen:
                way = scores.copy()
                way[self.first] -= sum(part.first for part in chosen)
                way[self.second] -= sum(part.second for part in chosen)
                ways.append(way)
        return ways

    def _foreseen(
        self, degree: int, strengths: Floats, targets: Floats, penalties: tuple[float, ...]
    ) -> list[_Foreseen]:
        """Foresee, less their linear part, the effects of products of ``degree`` signs.

        Parameters
        ----------
        degree : int
        strengths : (S,) float64
        targets : (m,) float64
            Half the difference of each pair's scores if the degree is odd, else half their sum.
        penalties : tuple of float

        Returns
        -------
        list of _Foreseen
            One for each penalty.

        Notes
        -----
        A ridge of the targets on the products, beside what they share with the surrogate: the
        signs, or a constant. Without a fold's rows D its coefficients are ``b - A⁻¹Dᵀe``, e being
        their residuals divided by ``I - DA⁻¹Dᵀ``: leave-one-out (Allen, 1974), by the fold.
        """
        products = _products(degree, strengths, self.centres)
        projection = Projection.of(degree, len(strengths), self.moments)
        values = np.prod([self.signs[:, column] for column in products.members.T], axis=0)
        is_odd = degree % 2 == 1
        shared = self.signs if is_odd else np.ones((len(values), 1))
        rows = np.concatenate([shared, values], axis=1)
        crossed = rows.T @ rows
        # A little for the signs, which without a fold may be more than its rows.
        fixed = np.full(shared.shape[1], 1.0 if is_odd else 0.0)
        found = []
        for penalty in penalties:
            diagonal = np.diag(np.concatenate([fixed, penalty / products.spread**2]))
            spread = np.linalg.solve(crossed + diagonal, rows.T).T
            coefficients = spread.T @ targets
            residuals = targets - rows @ coefficients
            first, second = np.empty_like(targets), np.empty_like(targets)
            for own in self._folds():
                room = np.eye(own.stop - own.start) - spread[own] @ rows[own].T
                errors = np.linalg.solve(room, residuals[own])
                effects = (coefficients - spread[own].T @ errors)[shared.shape[1] :]
                whole, signs = values[own] @ effects, self.signs[own]
                opposite = -whole if is_odd else whole
                first[own] = whole - projection(products.members, effects, signs)
                second[own] = opposite - projection(products.members, effects, -signs)
            found.append(_Foreseen(first, second))
        return found

    def _folds(self) -> Iterator[slice]:
        """Which pairs are of each fold."""
        bounds = np.flatnonzero(np.diff(self.folds, prepend=-1, append=-1))
        return (slice(start, stop) for start, stop in pairwise(bounds.tolist()))


def _centres(segments: Segments, count: int) -> Floats:
    """(S, 2): the segments' centres; the image is √S widths of a segment high and wide."""
    numbers = segments.ravel()
    areas = np.bincount(numbers, minlength=count)
    shares = np.stack(
        [
            np.bincount(numbers, weights=np.broadcast_to(where, segments.shape).ravel()) / areas
            for where in (
                np.arange(segments.shape[0])[:, None] / segments.shape[0],
                np.arange(segments.shape[1])[None, :] / segments.shape[1],
            )
        ],
        axis=1,
    )
    return np.asarray(shares * np.sqrt(count), dtype=np.float64)


def _products(degree: int, strengths: Floats, centres: Floats) -> _Products:
    """Choose the products of ``degree`` signs that are thought to matter most."""
    strongest = np.sort(np.argsort(-strengths, kind="stable")[:STRONGEST])
    members = strongest[_combinations(len(strongest), degree)]
    spread = np.sqrt(np.maximum(strengths, LEAST_STRENGTH))[members].prod(axis=1)
    places = centres[members]
    apart = sum(
        ((places[:, i] - places[:, j]) ** 2).sum(axis=1) for i in range(degree) for j in range(i)
    )
    spread *= np.exp(-apart / (degree * REACH**2))
    kept = np.argsort(-spread, kind="stable")[: MOST_PRODUCTS[degree]]
    return _Products(members[kept], spread[kept] / np.linalg.norm(spread[kept]))


@lru_cache(maxsize=64)
def _combinations(count: int, degree: int) -> Indices:
    """(F, degree): all ways to choose that many of the numbers below ``count``, ascending."""
    grids = np.meshgrid(*[np.arange(count)] * degree, indexing="ij")
    ascending = np.logical_and.reduce([a < b for a, b in pairwise(grids)])
    return np.stack([grid[ascending] for grid in grids], axis=1)
