"""Resizing as the libraries of production do it, whose filters of the same name differ.

==============  ===============================================================================
``pillow``      ``Image.resize``. Filters widen when they reduce (antialias), always. Rounded to
                8 bits between the two axes. ``area`` is its BOX.
``tensorflow``  ``tf.image.resize``. No antialias unless it is asked for; cubic with a = -0.5;
                weights that fall outside the image are left out.
``torch``       torchvision on uint8 tensors. With antialias as Pillow, without it cubic with
                a = -0.75, which repeats the border. ``nearest`` takes the first pixel of each
                stretch, ``nearest-exact`` the middle one. Rounded between the axes.
``opencv``      ``cv2.resize``. Never antialias; cubic and ``nearest`` as torch's.
==============  ===============================================================================

Pillow is asked itself. The others are separable: each pixel of the result is a weighted sum along
one axis, then along the other, so a few rows and columns of the image are all that is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Library = Literal["pillow", "tensorflow", "torch", "opencv"]
Weights = NDArray[np.float64]

_PILLOW: Final[Mapping[str, Image.Resampling]] = MappingProxyType(
    {
        "nearest": Image.Resampling.NEAREST,
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
        "area": Image.Resampling.BOX,
        "hamming": Image.Resampling.HAMMING,
        "lanczos": Image.Resampling.LANCZOS,
    }
)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A filter: its weight at a distance in pixels, 0 at ``radius`` and beyond."""

    radius: float
    weight: Callable[[Weights], Weights]


def _keys(a: float) -> Kernel:
    """Cubic convolution (Keys, 1981)."""

    def weight(x: Weights) -> Weights:
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        return np.where(x < 1, near, a * (((x - 5) * x + 8) * x - 4))

    return Kernel(2, weight)


def _lanczos(lobes: int) -> Kernel:
    return Kernel(lobes, lambda x: np.sinc(x) * np.sinc(x / lobes))


def _mitchell(x: Weights) -> Weights:
    """Mitchell and Netravali (1988) with B = C = 1/3."""
    near = ((7 * x - 12) * x * x + 16 / 3) / 6
    far = (((-7 / 3 * x + 12) * x - 20) * x + 32 / 3) / 6
    return np.where(x < 1, near, far)


_TRIANGLE: Final = Kernel(1, lambda x: 1 - x)
_CUBIC: Final = _keys(-0.5)
_BORDER_CUBIC: Final = _keys(-0.75)
_KERNELS: Final[Mapping[str, Kernel]] = MappingProxyType(
    {
        "bilinear": _TRIANGLE,
        "bicubic": _CUBIC,
        "lanczos3": _lanczos(3),
        "lanczos5": _lanczos(5),
        "mitchellcubic": Kernel(2, _mitchell),
    }
)

FILTERS: Final[Mapping[Library, frozenset[str]]] = MappingProxyType(
    {
        "pillow": frozenset(_PILLOW),
        "tensorflow": frozenset({"nearest", "area", *_KERNELS}),
        "torch": frozenset({"nearest", "nearest-exact", "bilinear", "bicubic"}),
        "opencv": frozenset({"nearest", "bilinear", "bicubic", "area"}),
    }
)


def resample(
    pixels: NDArray[np.uint8],
    size: tuple[int, int],
    *,
    library: Library,
    interpolation: str,
    antialias: bool,
    part: tuple[slice, slice] = (slice(None), slice(None)),
) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Resize an image as a library does it.

    Parameters
    ----------
    pixels : uint8 array, shape (H, W, C)
        With one channel or three.
    size : tuple of int
        Height and width of the result, in pixels.
    library : {"pillow", "tensorflow", "torch", "opencv"}
    interpolation : str
        One of the library's ``FILTERS``.
    antialias : bool
        Whether filters widen when they reduce. The nearest ones and ``area`` do not ask, and
        Pillow and OpenCV leave no choice.
    part : tuple of slice
        Rows and columns of the result that are wanted.

    Returns
    -------
    uint8 or float32 array
        What the library returns of bytes: TensorFlow floats, which cubic filters take beyond 0
        and 255, the others bytes.
    """
    as_pillow = library == "torch" and antialias and interpolation in ("bilinear", "bicubic")
    if library == "pillow" or as_pillow:
        return resize_by_pillow(pixels, size, interpolation=interpolation)[part]
    rows, columns = (
        _taps(old, new, library=library, interpolation=interpolation, antialias=antialias)[kept]
        for old, new, kept in zip(pixels.shape[:2], size, part, strict=True)
    )
    if rows.weights is None or columns.weights is None:
        return pixels[rows.source, columns.source.T]
    if library == "torch":
        touched, source = np.unique(rows.source, return_inverse=True)
        by_column = to_bytes(_turned_and_weighed(pixels[touched], columns.source, columns.weights))
        return to_bytes(_weighed(by_column, source.reshape(rows.source.shape), rows.weights))
    by_row = _weighed(pixels, rows.source, rows.weights)
    found = _turned_and_weighed(by_row, columns.source, columns.weights)
    return np.ascontiguousarray(found) if library == "tensorflow" else to_bytes(found)


def to_bytes(pixels: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.uint8]:
    """Round to the nearest of 0 to 255; bytes stay as they are."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    return np.ascontiguousarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def resize_by_pillow(
    pixels: NDArray[np.uint8],
    size: tuple[int, int],
    *,
    interpolation: str,
    box: tuple[float, float, float, float] | None = None,
) -> NDArray[np.uint8]:
    """Resize an image, or a ``box`` (left, top, right, bottom) of it, by Pillow."""
    height, width, channels = pixels.shape
    image = Image.fromarray(
        np.ascontiguousarray(pixels.reshape(height, width) if channels == 1 else pixels)
    )
    resized = image.resize(size[::-1], _PILLOW[interpolation], box=box)
    return np.asarray(resized, dtype=np.uint8).reshape(*size, channels)


def _turned_and_weighed(
    pixels: NDArray[np.generic], source: NDArray[np.intp], weights: Weights
) -> NDArray[np.float32]:
    """Sum along the second axis."""
    turned = np.ascontiguousarray(pixels.swapaxes(0, 1))
    return _weighed(turned, source, weights).swapaxes(0, 1)


def _weighed(
    pixels: NDArray[np.generic], source: NDArray[np.intp], weights: Weights
) -> NDArray[np.float32]:
    """Sum along the first axis, row by row: an upload of 24 megapixels is not copied as floats."""
    lines = pixels.reshape(pixels.shape[0], -1)
    found = np.empty((len(source), lines.shape[1]), np.float32)
    for row, (taken, each) in enumerate(zip(source, weights.astype(np.float32), strict=True)):
        np.dot(each, lines[taken].astype(np.float32), out=found[row])
    return found.reshape(len(source), *pixels.shape[1:])


@dataclass(frozen=True, slots=True)
class _Taps:
    """Where the pixels of a result come from, on one axis.

    Attributes
    ----------
    source : intp (length, taps)
        Pixels of the image.
    weights : float64 (length, taps) or None
        What each counts; None where there is one, which is taken as it is.
    """

    source: NDArray[np.intp]
    weights: Weights | None

    def __getitem__(self, kept: slice) -> _Taps:
        return _Taps(self.source[kept], None if self.weights is None else self.weights[kept])


def _taps(
    size: int, length: int, *, library: Library, interpolation: str, antialias: bool
) -> _Taps:
    """Return how ``size`` pixels become ``length`` on one axis."""
    if interpolation in ("nearest", "nearest-exact"):
        return _nearest(size, length, library=library, interpolation=interpolation)
    if interpolation == "area":
        return _area(size, length)
    repeats_border = library in ("torch", "opencv") and interpolation == "bicubic"
    kernel = _BORDER_CUBIC if repeats_border else _KERNELS[interpolation]
    scale = size / length
    widened = max(scale, 1.0) if antialias else 1.0
    centre = ((np.arange(length) + 0.5) * scale)[:, np.newaxis]
    reach = kernel.radius * widened
    source = np.ceil(centre - reach - 0.5) + np.arange(2 * int(np.ceil(reach)) + 1)
    distance = np.abs(source + 0.5 - centre) / widened
    weights = np.where(distance < kernel.radius, kernel.weight(distance), 0.0)
    if not repeats_border:
        weights[(source < 0) | (source >= size)] = 0.0
    return _normalised(source, weights, size)


def _nearest(size: int, length: int, *, library: Library, interpolation: str) -> _Taps:
    at = 0.5 if interpolation == "nearest-exact" or library == "tensorflow" else 0.0
    # The precision is the library's: where a point falls between two pixels, it decides which of
    # them is taken.
    if library == "opencv":
        nearest = np.floor((np.arange(length) + at) * (1 / (length / size)))
    else:
        scale = np.float32(size) / np.float32(length)
        nearest = np.floor((np.arange(length, dtype=np.float32) + np.float32(at)) * scale)
    return _Taps(np.minimum(nearest.astype(np.intp), size - 1)[:, np.newaxis], None)


def _area(size: int, length: int) -> _Taps:
    """Weigh each pixel by how much of it lies in the stretch that becomes one of the result's."""
    scale = size / length
    start = (np.arange(length) * scale)[:, np.newaxis]
    source = np.floor(start) + np.arange(int(np.ceil(scale)) + 1)
    covered = np.minimum(start + scale, source + 1) - np.maximum(start, source)
    return _normalised(source, np.clip(covered, 0, None), size)


def _normalised(source: NDArray[np.float64], weights: Weights, size: int) -> _Taps:
    return _Taps(
        np.clip(source, 0, size - 1).astype(np.intp), weights / weights.sum(axis=1, keepdims=True)
    )
