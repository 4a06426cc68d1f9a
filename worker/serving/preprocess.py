"""From uint8 pixels to what the model was trained on.

The named forms are those of ``keras.applications.imagenet_utils.preprocess_input`` (``tf``,
``caffe``, ``torch``), with ``unit`` for pixel / 255 and ``raw`` for the pixels themselves. All are
one multiplication and one addition per channel, after which the channels may change places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from worker.serving.profile import CustomPreprocess, Layout, NamedPreprocess


@dataclass(frozen=True, kw_only=True)
class Affine:
    """``pixel * scale + offset`` per channel, in the order in which the model wants channels."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    order: Literal["RGB", "BGR"] = "RGB"


def _standard(
    mean: tuple[float, ...], std: tuple[float, ...], *, order: Literal["RGB", "BGR"] = "RGB"
) -> Affine:
    """``(pixel - mean) / std``, mean and std on the scale 0 to 255."""
    return Affine(
        scale=tuple(1 / one for one in std),
        offset=tuple(-m / s for m, s in zip(mean, std, strict=True)),
        order=order,
    )


# Means and deviations of ImageNet: caffe's in BGR on 0..255, torch's in RGB on 0..1.
_CAFFE_MEAN = (103.939, 116.779, 123.68)
_TORCH_MEAN = (0.485, 0.456, 0.406)
_TORCH_STD = (0.229, 0.224, 0.225)

NAMED: Mapping[NamedPreprocess, Affine] = MappingProxyType(
    {
        "raw": Affine(scale=(1.0,), offset=(0.0,)),
        "unit": Affine(scale=(1 / 255,), offset=(0.0,)),
        "tf": Affine(scale=(1 / 127.5,), offset=(-1.0,)),
        "caffe": _standard(_CAFFE_MEAN, (1.0, 1.0, 1.0), order="BGR"),
        "torch": _standard(
            tuple(255 * one for one in _TORCH_MEAN), tuple(255 * one for one in _TORCH_STD)
        ),
    }
)


def affine(preprocess: NamedPreprocess | CustomPreprocess) -> Affine:
    """Return what a profile's ``preprocess`` does to a pixel."""
    if isinstance(preprocess, CustomPreprocess):
        return _standard(preprocess.mean, preprocess.std, order=preprocess.order)
    return NAMED[preprocess]


def to_float(
    batch: NDArray[np.uint8 | np.float32], how: Affine, *, layout: Layout
) -> NDArray[np.float32]:
    """Preprocess a batch.

    Parameters
    ----------
    batch : uint8 or float32 (n, H, W, C)
        Pixels 0 to 255, channels as RGB or one grey.
    how : Affine
        With one value, or one a channel.
    layout : str
        Order of the axes of the result.

    Returns
    -------
    float32 (n, H, W, C) or (n, C, H, W)
        Contiguous, so that its bytes are those of the tensor.
    """
    rows, height, width, channels = batch.shape
    # Channel by channel: numpy copies a reversed last axis of three twenty times as slowly.
    backwards = [batch[..., channel] for channel in reversed(range(channels))]
    ordered = np.stack(backwards, axis=-1) if how.order == "BGR" else batch
    scale = np.broadcast_to(np.asarray(how.scale, np.float32), channels)
    offset = np.broadcast_to(np.asarray(how.offset, np.float32), channels)
    if layout == "NCHW":
        out = np.empty((rows, channels, height, width), np.float32)
        np.multiply(ordered.transpose(0, 3, 1, 2), scale[:, None, None], out=out, casting="unsafe")
        out += offset[:, None, None]
        return out
    # One factor for each value of a row of pixels: an inner loop of W * C is many times faster
    # than numpy's of C.
    out = np.empty((rows, height, width * channels), np.float32)
    flat = ordered.reshape(rows, height, width * channels)
    if np.any(scale != 1):
        np.multiply(flat, np.tile(scale, width), out=out, casting="unsafe")
    else:
        np.copyto(out, flat)
    if np.any(offset):
        out += np.tile(offset, width)
    return out.reshape(batch.shape)
