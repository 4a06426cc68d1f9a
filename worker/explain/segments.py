"""Segmenters: cut an image into the regions that are hidden and shown.

Every segmenter sees the uint8 image. The same pixels as floats from 0 to 255 are another image to
scikit-image (quickshift then finds 120 segments where it finds 9), so the one preset that needs
floats asks for them by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import color, filters, segmentation

from worker.explain.errors import BadSegments, ImageTooUniform, TooManySegments
from worker.explain.explanation import Image, Segments
from worker.explain.options import (
    MAX_SEGMENTS,
    Custom,
    Felzenszwalb,
    Grid,
    Quickshift,
    Segmentation,
    Slic,
    Watershed,
)

Labels = NDArray[np.integer[Any]]

# How many segments slic is asked for when the request does not say: one for so many pixels, within
# bounds.
_PIXELS_EACH = 1000
_FEWEST, _MOST = 25, 50

_LAZY = {
    color: ("rgb2gray",),
    filters: ("gaussian", "sobel"),
    segmentation: ("felzenszwalb", "quickshift", "slic", "watershed"),
}


def segment(image: Image, options: Segmentation, *, custom: Labels | None = None) -> Segments:
    """Cut an image into segments numbered 0 to S-1.

    Parameters
    ----------
    image : (H, W, C) uint8, C = 1 or 3
    options : Segmentation
        The method and its parameters.
    custom : (H, W) int, optional
        The label map that method ``custom`` uses; each distinct value is a segment.

    Returns
    -------
    (H, W) int32

    Raises
    ------
    ImageTooUniform
        If a method finds one segment only.
    BadSegments
        If the label map is missing or does not fit.
    TooManySegments
        If there are more than ``MAX_SEGMENTS``.
    """
    if options.method == "custom":
        labels = _checked(custom, shape=image.shape[:2])
    else:
        labels = SEGMENTERS[options.method](_rgb(image), options)
    segments = _renumbered(labels)
    count = int(segments.max()) + 1
    if count == 1:
        raise _too_uniform(options)
    if count > MAX_SEGMENTS:
        raise TooManySegments(
            f"Segmentation {options.method!r} gave {count} segments, and at most {MAX_SEGMENTS} "
            f"can be explained. {_cure_of_many(options)}"
        )
    return segments


def segment_numbers(
    segments: Segments, options: Segmentation, *, custom: Labels | None = None
) -> tuple[int, ...]:
    """Tell what the reader calls each segment: its label in their own map, or its place.

    Parameters
    ----------
    segments : (h, w) int32
        What ``segment`` made of the others.

    Returns
    -------
    tuple of S int
        Ascending.
    """
    if options.method == "custom" and custom is not None:
        return tuple(np.unique(custom).tolist())
    return tuple(range(int(segments.max()) + 1))


def load() -> None:
    """Import what scikit-image imports at first use.

    A worker calls this before it forks: its children share the memory, and no job waits.
    """
    for library, names in _LAZY.items():
        for name in names:
            getattr(library, name)


def digest(segments: Segments) -> str:
    """Sha256 of the segments as little-endian int32, row by row."""
    return hashlib.sha256(np.ascontiguousarray(segments, dtype="<i4").tobytes()).hexdigest()


def _slic(image: Image, options: Slic) -> Labels:
    requested = options.n_segments
    labels: Labels = segmentation.slic(
        image,
        n_segments=_by_size(image) if requested is None else requested,
        compactness=options.compactness,
        sigma=options.sigma,
        slic_zero=options.slic_zero,
        max_num_iter=10,
        convert2lab=True,
        enforce_connectivity=True,
        min_size_factor=0.5,
        max_size_factor=3,
        start_label=0,
        channel_axis=-1,
    )
    return labels


def _by_size(image: Image) -> int:
    """Tell how many segments suit an image.

    A convolutional network looks at squares of 32 pixels in the end: smaller segments cost model
    calls without telling more. With too few an object is one of them, whatever the size.
    """
    height, width = image.shape[:2]
    suits: int = round(height * width / _PIXELS_EACH)
    return min(max(suits, _FEWEST), _MOST)


def _quickshift(image: Image, options: Quickshift) -> Labels:
    # The seed breaks ties between pixels of equal density. It is scikit-image's default, which is
    # also what the lime package runs with whatever seed it is given: it passes its own under a
    # name that scikit-image no longer has, and drops it.
    labels: Labels = segmentation.quickshift(
        image / 127.5 - 1.0 if options.signed_scale else image,
        ratio=options.ratio,
        kernel_size=options.kernel_size,
        max_dist=options.max_dist,
        sigma=0,
        convert2lab=True,
        rng=42,
        channel_axis=-1,
    )
    return labels


def _felzenszwalb(image: Image, options: Felzenszwalb) -> Labels:
    labels: Labels = segmentation.felzenszwalb(
        image,
        scale=options.scale,
        sigma=options.sigma,
        min_size=options.min_size,
        channel_axis=-1,
    )
    return labels


def _watershed(image: Image, options: Watershed) -> Labels:
    # A number of markers is laid out as a regular grid by scikit-image.
    labels: Labels = segmentation.watershed(
        filters.sobel(color.rgb2gray(image)),
        markers=options.n_segments,
        compactness=options.compactness,
        connectivity=1,
        watershed_line=False,
    )
    return labels


def _grid(image: Image, options: Grid) -> Labels:
    height, width = image.shape[:2]
    rows = np.arange(height) * options.rows // height
    columns = np.arange(width) * options.columns // width
    labels: Labels = rows[:, None] * options.columns + columns[None, :]
    return labels


SEGMENTERS: Mapping[str, Callable[[Image, Any], Labels]] = MappingProxyType(
    {
        "slic": _slic,
        "quickshift": _quickshift,
        "felzenszwalb": _felzenszwalb,
        "watershed": _watershed,
        "grid": _grid,
    }
)


def _rgb(image: Image) -> Image:
    """Three channels: the segmenters compare colours in Lab, which grey images have as well."""
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def _checked(custom: Labels | None, *, shape: tuple[int, ...]) -> Labels:
    if custom is None:
        raise BadSegments("Segmentation 'custom' needs a label map, and none came with the image.")
    if not np.issubdtype(custom.dtype, np.integer):
        raise BadSegments(f"A label map holds integers, not {custom.dtype}.")
    if custom.shape != shape:
        raise BadSegments(f"The label map has shape {custom.shape}, the image {shape}.")
    return custom


def _renumbered(labels: Labels) -> Segments:
    _, numbers = np.unique(labels, return_inverse=True)
    return np.ascontiguousarray(numbers.reshape(labels.shape), dtype=np.int32)


def _cure_of_many(options: Segmentation) -> str:
    if isinstance(options, Custom):
        return "Give several regions of the label map the same label."
    return "Choose parameters that make larger segments."


def _too_uniform(options: Segmentation) -> ImageTooUniform | BadSegments:
    if isinstance(options, Custom):
        return BadSegments(
            "The label map has a single segment. An explanation compares at least 2."
        )
    return ImageTooUniform(
        f"Segmentation {options.method!r} found a single segment, and an explanation compares at "
        f"least 2. {_CURES[options.method]}."
    )


_OTHERWISE = "or use segmentation 'grid', which does not depend on the image"

_CURES: Mapping[str, str] = MappingProxyType(
    {
        "slic": f"Raise n_segments, {_OTHERWISE}",
        "quickshift": f"Lower max_dist or kernel_size, {_OTHERWISE}",
        "felzenszwalb": f"Lower scale or min_size, {_OTHERWISE}",
        "watershed": f"Raise n_segments, {_OTHERWISE}",
        "grid": "Raise rows or columns, or use a larger image",
    }
)
