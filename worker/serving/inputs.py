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

# Takes uint8 (n, H, W, C); the batch may change once this has returned.
Encode = Callable[[NDArray[np.uint8]], TensorProto]

# zlib's fastest level: half again as large as the default's and five times as quick.
_PNG_LEVEL = 1
_JPEG_QUALITY = 95


def encoder(profile: ModelProfile, resolved: ResolvedModel) -> Encode:
    """Return what turns batches into this model's input."""
    shape = (*resolved.input_size, resolved.channels)
    how = affine(profile.preprocess)

    def encode(batch: NDArray[np.uint8]) -> TensorProto:
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != shape:  # noqa: PLR2004
            raise ValueError(f"model {resolved.name!r} takes uint8 (n, {shape}), not {batch.shape}")
        if resolved.dtype == "string":
            return tensors.from_strings([_picture(one, profile.encoding) for one in batch])
        if is_float(resolved.dtype):
            pixels = to_float(batch, how, layout=resolved.layout)
            return tensors.from_array(pixels, resolved.dtype)
        return tensors.from_array(_arranged(batch, resolved.layout), resolved.dtype)

    return encode


def _arranged(batch: NDArray[np.uint8], layout: Layout) -> NDArray[np.uint8]:
    return batch.transpose(0, 3, 1, 2) if layout == "NCHW" else batch


def _picture(image: NDArray[np.uint8], encoding: Literal["png", "jpeg"]) -> bytes:
    """Encode one image (H, W, C). PNG keeps every pixel; JPEG smears the edges of segments."""
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    buffer = io.BytesIO()
    if encoding == "jpeg":
        picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    else:
        picture.save(buffer, "PNG", compress_level=_PNG_LEVEL)
    return buffer.getvalue()
