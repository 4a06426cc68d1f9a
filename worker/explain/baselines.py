"""Baselines: what a hidden segment shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import ImageColor
from skimage import filters

from worker.explain.explanation import Image, Segments
from worker.explain.options import Baseline, Black, Blur, Colour, Grey, ImageMean, SegmentMean


def baseline_image(image: Image, segments: Segments, options: Baseline) -> Image:
    """Make the image whose pixels replace those of hidden segments.

    Parameters
    ----------
    image : (H, W, C) uint8
    segments : (H, W) int32, numbered from 0
    options : Baseline

    Returns
    -------
    (H, W, C) uint8
    """
    return BASELINES[options.method](image, segments, options)


def _segment_mean(image: Image, segments: Segments, options: SegmentMean) -> Image:
    # Sums of integers are exact in float64, and the assignment cuts the fraction off: together
    # these give the very bytes that the lime package gets by writing means into a uint8 image.
    numbers = segments.ravel()
    sizes = np.bincount(numbers)
    sums = [np.bincount(numbers, weights=channel.ravel()) for channel in np.moveaxis(image, 2, 0)]
    means = (np.stack(sums, axis=1) / sizes[:, None]).astype(np.uint8)
    return np.asarray(means[segments], dtype=np.uint8)


def _image_mean(image: Image, segments: Segments, options: ImageMean) -> Image:
    return _filled(image, image.mean(axis=(0, 1), dtype=np.float64).astype(np.uint8))


def _black(image: Image, segments: Segments, options: Black) -> Image:
    return _filled(image, 0)


def _grey(image: Image, segments: Segments, options: Grey) -> Image:
    return _filled(image, 128)


def _colour(image: Image, segments: Segments, options: Colour) -> Image:
    mode = "L" if image.shape[2] == 1 else "RGB"
    return _filled(image, ImageColor.getcolor(options.colour, mode))


def _blur(image: Image, segments: Segments, options: Blur) -> Image:
    blurred = filters.gaussian(
        image,
        sigma=options.sigma,
        mode="nearest",
        truncate=4.0,
        preserve_range=True,
        channel_axis=-1,
    )
    return np.asarray(np.rint(blurred).clip(0, 255), dtype=np.uint8)


def _filled(image: Image, colour: Any) -> Image:
    return np.broadcast_to(np.asarray(colour, dtype=np.uint8), image.shape)


BASELINES: Mapping[str, Callable[[Image, Segments, Any], Image]] = MappingProxyType(
    {
        "segment-mean": _segment_mean,
        "image-mean": _image_mean,
        "black": _black,
        "grey": _grey,
        "colour": _colour,
        "blur": _blur,
    }
)
