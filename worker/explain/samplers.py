"""Samplers: which segments each perturbed image keeps.

A sampler is an iterator of blocks that together have at most ``limit`` rows. It draws from a
stream of its own, so the same seed gives the same samples. Those that can go on give many small
blocks, between which an explanation may stop; the others give all samples as one block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from worker.explain.explanation import Samples
from worker.explain.hadamard import Signs, hadamard, order_for


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Samples drawn together.

    Attributes
    ----------
    rows : (n, S) bool
        True where a segment is kept.
    paired : bool
        Whether rows 0 and 1, 2 and 3, … are pairs, so that only pairs are independent.
    balanced : bool
        Whether the rows were made to complement each other, so that only blocks are independent.
    """

    rows: Samples
    paired: bool = False
    balanced: bool = False


class Sampler(Protocol):
    """Draws samples of ``segments`` segments, ``limit`` at most."""

    def __call__(
        self, *, segments: int, limit: int, keep_probability: float, seed: int
    ) -> Iterator[Block]:
        """Yield blocks of samples."""
        ...


def block_size(segments: int) -> int:
    """Tell how many samples a block has: two Hadamard orders, whichever sampler draws it."""
    return 2 * order_for(segments + 1)


def orthogonal(*, segments: int, limit: int, keep_probability: float, seed: int) -> Iterator[Block]:
    """Fold-over Hadamard blocks: every row is Bernoulli(0.5), main effects are kept apart.

    Below a limit of two samples per segment the array is not folded: pairs would then cost more
    main effects than the interactions that they cancel.
    """
    rng = np.random.default_rng(seed)
    array = hadamard(order_for(segments + 1))[:, 1:]
    folded = limit >= 2 * segments
    for size in _sizes(limit, len(array) * (2 if folded else 1)):
        columns = rng.permutation(array.shape[1])[:segments]
        signs = rng.choice(np.array([-1, 1], dtype=np.int8), size=segments)
        order = rng.permutation(len(array))
        rows = hadamard_rows(array, columns=columns, signs=signs, order=order, folded=folded)
        yield Block(rows=rows[:size], paired=folded, balanced=True)


def hadamard_rows(
    array: Signs,
    *,
    columns: NDArray[np.intp],
    signs: Signs,
    order: NDArray[np.intp],
    folded: bool,
) -> Samples:
    """Make samples of a Hadamard matrix; -1 hides a segment.

    Signs drawn at random for the columns make the entries of any one row independent fair coins,
    whichever columns and row order were chosen: that is why every row is Bernoulli(0.5) exactly.

    Parameters
    ----------
    array : (order, order - 1) int8
        A Hadamard matrix without its column of ones.
    columns, signs : (S,)
        Which columns to use, and the sign to multiply each with.
    order : (order,)
        The order of the rows.
    folded : bool
        Whether each row is followed by its negative. This frees main effects of two-way
        interactions in the unweighted design.

    Returns
    -------
    (order, S) bool, or (2 * order, S) if folded
    """
    kept = (array[np.ix_(order, columns)] * signs) > 0
    return _interleaved(kept, ~kept) if folded else kept


def bernoulli(*, segments: int, limit: int, keep_probability: float, seed: int) -> Iterator[Block]:
    """Keep each segment independently: the numbers of ``numpy.random.binomial`` for this seed."""
    stream = np.random.RandomState(seed)
    for size in _sizes(limit, block_size(segments)):
        rows = stream.binomial(1, keep_probability, (size, segments))
        yield Block(rows=rows.astype(np.bool_))


def antithetic(*, segments: int, limit: int, keep_probability: float, seed: int) -> Iterator[Block]:
    """Pairs from the same uniform numbers u: one keeps where u < p, its partner where 1 - u < p."""
    rng = np.random.default_rng(seed)
    for size in _sizes(limit, block_size(segments)):
        uniform = rng.random((-(-size // 2), segments))
        rows = _interleaved(uniform < keep_probability, 1.0 - uniform < keep_probability)
        yield Block(rows=rows[:size], paired=True)


def random_rate(
    *, segments: int, limit: int, keep_probability: float, seed: int
) -> Iterator[Block]:
    """Each sample draws a rate u, and keeps a segment where another uniform number is over 0.8u."""
    rng = np.random.default_rng(seed)
    rates = rng.random((limit, 1))
    yield Block(rows=rng.random((limit, segments)) > 0.8 * rates)


def lime(*, segments: int, limit: int, keep_probability: float, seed: int) -> Iterator[Block]:
    """Draw the samples of the lime package 0.2.0.1, number by number.

    It spends one draw on a seed for its segmentation, then draws all samples at once and puts
    the untouched image in the first row.
    """
    stream = np.random.RandomState(seed)
    stream.randint(0, high=1000)
    rows = stream.randint(0, 2, limit * segments).reshape(limit, segments).astype(np.bool_)
    rows[0] = True
    yield Block(rows=rows)


SAMPLERS: Mapping[str, Sampler] = MappingProxyType(
    {
        "orthogonal": orthogonal,
        "bernoulli": bernoulli,
        "antithetic": antithetic,
        "random-rate": random_rate,
        "lime": lime,
    }
)


def _sizes(limit: int, size: int) -> Iterator[int]:
    """Block sizes that add up to the limit; the last block is cut short."""
    for start in range(0, limit, size):
        yield min(size, limit - start)


def _interleaved(first: Samples, second: Samples) -> Samples:
    return np.stack([first, second], axis=1).reshape(-1, first.shape[1])
