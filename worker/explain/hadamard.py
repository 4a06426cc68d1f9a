"""Hadamard matrices: square, of +1 and -1, with rows that are orthogonal to each other.

Built by the constructions of Sylvester (doubling) and Paley (quadratic residues modulo a prime).
Together they reach most multiples of four, which keeps the blocks of the orthogonal sampler small.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
from numpy.typing import NDArray

Signs = NDArray[np.int8]


def order_for(least: int) -> int:
    """Find the smallest order, at least ``least``, that ``hadamard`` can build."""
    order = least
    while not _constructible(order):
        order += 1
    return order


def hadamard(order: int) -> Signs:
    """Build a Hadamard matrix whose first column is all ones.

    Parameters
    ----------
    order : int
        One that ``order_for`` returned.

    Returns
    -------
    (order, order) int8

    Raises
    ------
    ValueError
        If none of the constructions gives this order.
    """
    if not _constructible(order):
        raise ValueError(f"no construction of a Hadamard matrix of order {order}")
    matrix = _build(order)
    return matrix * matrix[:, :1]


def _constructible(order: int) -> bool:
    if order in (1, 2) or _paley_one(order) or _paley_two(order):
        return True
    return order % 4 == 0 and _constructible(order // 2)


def _build(order: int) -> Signs:
    if order == 1:
        return np.ones((1, 1), dtype=np.int8)
    if _paley_one(order):
        return _bordered(order - 1, corner=-1) + np.eye(order, dtype=np.int8)
    if _paley_two(order):
        conference = _bordered(order // 2 - 1, corner=1)
        diagonal = np.eye(order // 2, dtype=np.int8)
        plus = np.array([[1, 1], [1, -1]], dtype=np.int8)
        minus = np.array([[1, -1], [-1, -1]], dtype=np.int8)
        return np.kron(conference, plus) + np.kron(diagonal, minus)
    half = _build(order // 2)
    return np.kron(np.array([[1, 1], [1, -1]], dtype=np.int8), half)


def _bordered(prime: int, *, corner: int) -> Signs:
    """Put a row of ones and a column of ``corner`` around the Jacobsthal matrix of a prime."""
    numbers = np.arange(prime)
    character = np.full(prime, -1, dtype=np.int8)
    character[numbers**2 % prime] = 1
    character[0] = 0
    matrix = np.zeros((prime + 1, prime + 1), dtype=np.int8)
    matrix[0, 1:] = 1
    matrix[1:, 0] = corner
    matrix[1:, 1:] = character[(numbers[None, :] - numbers[:, None]) % prime]
    return matrix


def _paley_one(order: int) -> bool:
    return order % 4 == 0 and _is_prime(order - 1)


def _paley_two(order: int) -> bool:
    prime = order // 2 - 1
    return order % 4 == 0 and prime % 4 == 1 and _is_prime(prime)


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, isqrt(number) + 1))
