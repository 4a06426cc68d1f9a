"""From a batch of images to the tensor that a model takes."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.serving import tensors
from worker.serving.preprocess import affine, to_float
from worker.serving.profile import Layout, ModelProfile
from worker.serving.resolved import ResolvedModel, is_float
from worker.serving.stubs.tensor_pb2 import TensorProto

# 0 to 255. Floats are for models of floats alone, where production does not round.
Pixels = NDArray[np.uint8 | np.float32]
# Takes pixels (n, H, W, C); the batch may change once this has returned.
Encode = Callable[[Pixels], TensorProto]

# zlib's fastest level: half again as large as the default's and five times as quick.
_PNG_LEVEL = 1
_JPEG_QUALITY = 95


def encoder(profile: ModelProfile, resolved: ResolvedModel) -> Encode:
    """Return what turns batches into this model's input."""
    shape = (*resolved.input_size, resolved.channels)
    how = affine(profile.preprocess)
    dtypes = (np.uint8, np.float32) if is_float(resolved.dtype) else (np.uint8,)

    def encode(batch: Pixels) -> TensorProto:
        if batch.dtype not in dtypes or batch.ndim != 4 or batch.shape[1:] != shape:  # noqa: PLR2004
            raise ValueError(f"model {resolved.name!r} takes uint8 (n, {shape}), not {batch.shape}")
        if resolved.dtype == "string":
            return tensors.from_strings([_picture(one, profile.encoding) for one in batch])
        if is_float(resolved.dtype):
            pixels = to_float(batch, how, layout=resolved.layout)
            return tensors.from_array(pixels, resolved.dtype)
        return tensors.from_array(_arranged(batch, resolved.layout), resolved.dtype)

    return encode


def as_uploaded(data: bytes) -> Encode:
    """Return what sends an encoded picture as it is, whatever the pixels that it is sent for."""
    return lambda batch: tensors.from_strings([data] * len(batch))


def _arranged(batch: Pixels, layout: Layout) -> Pixels:
    return batch.transpose(0, 3, 1, 2) if layout == "NCHW" else batch


def _picture(image: Pixels, encoding: Literal["png", "jpeg"]) -> bytes:
    """Encode one image (H, W, C). PNG keeps every pixel; JPEG smears the edges of segments."""
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    buffer = io.BytesIO()
    if encoding == "jpeg":
        picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    else:
        picture.save(buffer, "PNG", compress_level=_PNG_LEVEL)
    return buffer.getvalue()
