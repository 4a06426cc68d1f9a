"""Uploads decoded as TensorFlow decodes them, held against TensorFlow."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from worker.images import Decoding, decode

pytestmark = pytest.mark.integration

TENSORFLOW = Decoding(alpha="drop", jpeg_dct="fast")


@pytest.fixture(scope="module")
def tensorflow():
    from deploy.demo.tensorflow_start import start_tensorflow  # noqa: PLC0415

    start_tensorflow()
    import tensorflow as tf  # noqa: PLC0415

    return tf


def photograph(*shape):
    noise = np.random.default_rng(3).integers(0, 256, (12, 9, *shape[2:]), dtype=np.uint8)
    return Image.fromarray(noise).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)


def encoded(image, file_format, **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [60, 95])
def test_the_fast_transform_gives_tensorflows_pixels(tensorflow, quality, subsampling, progressive):
    data = encoded(
        photograph(133, 201, 3), "JPEG", quality=quality, subsampling=subsampling,
        progressive=progressive,
    )  # fmt: skip
    expected = tensorflow.io.decode_jpeg(data).numpy()
    assert np.array_equal(np.asarray(decode(data, TENSORFLOW).image), expected)
    accurate = tensorflow.io.decode_jpeg(data, dct_method="INTEGER_ACCURATE").numpy()
    assert np.array_equal(np.asarray(decode(data).image), accurate)
    assert not np.array_equal(accurate, expected)


def test_a_grey_jpeg_gives_tensorflows_pixels(tensorflow):
    data = encoded(photograph(64, 80), "JPEG", quality=95)
    expected = tensorflow.io.decode_jpeg(data, channels=3).numpy()
    assert np.array_equal(np.asarray(decode(data, TENSORFLOW).image), expected)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L"])
def test_dropped_alpha_gives_tensorflows_pixels(tensorflow, mode):
    picture = photograph(60, 60, 4)
    if mode == "P":
        data = encoded(picture.convert("RGB").quantize(16), "PNG", transparency=bytes(range(16)))
    else:
        data = encoded(picture.convert(mode), "PNG")
    expected = tensorflow.io.decode_png(data, channels=3).numpy()
    found = np.asarray(decode(data, TENSORFLOW).image)
    assert np.array_equal(found, expected)
    assert decode(data).has_alpha == (mode in ("RGBA", "LA", "P"))


def test_stored_pixels_are_tensorflows_whatever_the_exif_block_says(tensorflow):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(photograph(40, 70, 3), "JPEG", exif=exif)
    decoded = decode(data, TENSORFLOW)
    assert (decoded.width, decoded.height, decoded.orientation) == (40, 70, 6)
    stored = np.asarray(decoded.image.transpose(Image.Transpose.ROTATE_90))
    assert np.array_equal(stored, tensorflow.io.decode_image(data).numpy())
