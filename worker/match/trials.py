"""Prepare a photograph in many ways, and score the inputs that differ."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from worker.images import Decoded
from worker.match.wanted import Wanted, furthest
from worker.model_input import decode_for, geometry_for
from worker.serving.preparation import Preparation
from worker.serving.resolved import ResolvedModel

# Inputs that differ by less than a part of a level are the same.
FINENESS: Final = np.float32(16)

Input = NDArray[np.uint8] | NDArray[np.float32]


class Scorer(Protocol):
    """Scores inputs by a model, with keys of its profile changed."""

    def __call__(self, inputs: Sequence[Input], **changes: object) -> NDArray[np.float64]:
        """Return float64 (inputs, classes)."""


# Told apart by identity: arrays compare element by element.
@dataclass(frozen=True, eq=False)
class Distinct:
    """An input, and all ways that lead to it."""

    ways: tuple[Preparation, ...]
    pixels: Input


@dataclass(frozen=True, eq=False)
class Trial:
    """What the model answered to an input.

    Attributes
    ----------
    ways : tuple of Preparation
        All that lead to the input, those with the fewest keys first.
    scores : float64 array, shape (classes,)
    off : float
        By how much it misses what is wanted, in tolerances.
    changes : mapping
        Keys of the profile besides those of the preparation that were changed.
    """

    ways: tuple[Preparation, ...]
    pixels: Input
    scores: NDArray[np.float64]
    off: float
    changes: tuple[tuple[str, object], ...] = ()

    @property
    def reproduces(self) -> bool:
        """Whether it is what production answered, as far as that was told."""
        return self.off <= 1


class Preparer:
    """Prepares one photograph for one model, in any way.

    Parameters
    ----------
    data : bytes
        Its file.
    model : ResolvedModel
    decoded : Decoded
        The photograph, decoded in one way or another.
    """

    def __init__(self, data: bytes, model: ResolvedModel, decoded: Decoded) -> None:
        self._data = data
        self._model = model
        self._size = decoded.height, decoded.width
        self._orientation = decoded.orientation
        self._pixels = cache(self._decode)

    def _decode(self, alpha: str, jpeg_dct: str) -> NDArray[np.uint8]:
        how = Preparation(alpha=alpha, jpeg_dct=jpeg_dct)  # type: ignore[arg-type]  # its own keys
        return np.asarray(decode_for(how, self._data).image)

    def distinct(self, ways: Sequence[Preparation], *, floats: bool) -> list[Distinct]:
        """Prepare the photograph in all ways, and put those together that give the same input.

        Parameters
        ----------
        floats : bool
            Whether the model takes what a library leaves unrounded.
        """

        def prepare(how: Preparation) -> Input:
            rgb = self._pixels(how.alpha, how.jpeg_dct)
            geometry = geometry_for(
                self._model, how, upload_size=self._size, orientation=self._orientation
            )
            return geometry.to_unrounded_input(rgb) if floats else geometry.to_input(rgb)

        found: dict[bytes, tuple[list[Preparation], Input]] = {}
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            for how, pixels in zip(ways, pool.map(prepare, ways), strict=True):
                # Floats of one colour differ in their last bits by how they were summed.
                name = sha256(np.rint(pixels * FINENESS).tobytes()).digest()
                found.setdefault(name, ([], pixels))[0].append(how)
        return [Distinct(tuple(hows), pixels) for hows, pixels in found.values()]


def tried(
    inputs: Sequence[Distinct], *, wanted: Sequence[Wanted], score: Scorer, **changes: object
) -> list[Trial]:
    """Score inputs, all in as few calls as the model server takes."""
    scores = score([one.pixels for one in inputs], **changes)
    return [
        Trial(one.ways, one.pixels, row, furthest(row, wanted), tuple(changes.items()))
        for one, row in zip(inputs, scores, strict=True)
    ]
