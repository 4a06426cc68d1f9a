"""The model's input, held against what TensorFlow and Keras make of the same picture.

Theirs is in floats, which the model gets unrounded; ours has 8 bits, so it is compared with theirs
cut off at 0 and 255. One level of 256 is allowed at most.
"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from worker.explain.geometry import Geometry
from worker.explain.resampling import FILTERS

pytestmark = pytest.mark.integration

SIZES = [
    ((37, 53), (16, 24)),
    ((16, 24), (37, 53)),
    ((300, 451), (224, 224)),
    ((613, 97), (75, 33)),
    ((640, 640), (64, 64)),
    ((31, 31), (31, 31)),
    ((1, 9), (5, 4)),
    ((9, 1), (4, 1)),
]


@pytest.fixture(scope="module")
def tensorflow():
    from deploy.demo.tensorflow_start import start_tensorflow  # noqa: PLC0415

    start_tensorflow()
    import tensorflow as tf  # noqa: PLC0415

    return tf


def picture(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def seen(rgb, model, **changes):
    how = {"resize": "stretch", "library": "tensorflow", "antialias": False, "channels": 3}
    return Geometry(**how | changes, upload_size=rgb.shape[:2], input_size=model).to_input(rgb)


def furthest(found, expected):
    assert found.shape == expected.shape
    return np.abs(found - np.clip(expected, 0, 255)).max()


@pytest.mark.parametrize(("upload", "model"), SIZES)
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("interpolation", sorted(FILTERS["tensorflow"]))
def test_stretch_is_tf_image_resize(tensorflow, interpolation, antialias, upload, model):
    rgb = picture(upload)
    expected = tensorflow.image.resize(rgb, model, method=interpolation, antialias=antialias)
    found = seen(rgb, model, interpolation=interpolation, antialias=antialias)
    assert furthest(found, expected.numpy()) <= 1


@pytest.mark.parametrize(("upload", "model"), SIZES)
def test_nearest_takes_the_very_pixels(tensorflow, upload, model):
    rgb = picture(upload)
    expected = tensorflow.image.resize(rgb, model, method="nearest")
    assert np.array_equal(seen(rgb, model, interpolation="nearest"), expected)


@pytest.mark.parametrize("interpolation", ["bilinear", "area", "lanczos3"])
def test_one_channel_is_resized_as_its_luma(tensorflow, interpolation):
    rgb = picture((61, 44))
    luma = np.asarray(Image.fromarray(rgb).convert("L"))[..., np.newaxis]
    expected = tensorflow.image.resize(luma, (28, 28), method=interpolation)
    found = seen(rgb, (28, 28), interpolation=interpolation, channels=1)
    assert furthest(found, expected.numpy()) <= 1


# TensorFlow itself refuses to pad a picture of which no row would be left.
@pytest.mark.parametrize(
    ("upload", "model"), [*SIZES[:6], ((101, 67), (48, 96)), ((40, 90), (7, 13))]
)
def test_pad_is_resize_with_pad(tensorflow, upload, model):
    rgb = picture(upload)
    expected = tensorflow.image.resize_with_pad(rgb, *model).numpy()
    assert furthest(seen(rgb, model, interpolation="bilinear", resize="pad"), expected) <= 1


def test_pad_agrees_for_all_aspect_ratios(tensorflow):
    """Where the picture lies is what may differ by a pixel, so a white one is enough."""
    for height in range(8, 120, 7):
        for width in range(8, 120, 5):
            rgb = np.full((height, width, 3), 255, np.uint8)
            expected = tensorflow.image.resize_with_pad(rgb, 24, 32, method="nearest").numpy()
            found = seen(rgb, (24, 32), interpolation="nearest", resize="pad")
            assert np.array_equal(found, expected), (height, width)


@pytest.mark.parametrize(("upload", "model"), [*SIZES, ((101, 67), (48, 96)), ((40, 90), (7, 13))])
def test_crop_is_keras_smart_resize(tensorflow, upload, model):
    rgb = picture(upload)
    expected = tensorflow.keras.preprocessing.image.smart_resize(rgb, model)
    assert furthest(seen(rgb, model, interpolation="bilinear", resize="crop"), expected) <= 1


@pytest.mark.parametrize(
    ("keras", "interpolation"),
    [
        ("nearest", "nearest"),
        ("bilinear", "bilinear"),
        ("bicubic", "bicubic"),
        ("hamming", "hamming"),
        ("box", "area"),
        ("lanczos", "lanczos"),
    ],
)
def test_keras_load_img_is_pillow(tensorflow, tmp_path, keras, interpolation):
    rgb = picture((133, 201))
    Image.fromarray(rgb).save(tmp_path / "picture.png")
    image = tensorflow.keras.utils
    expected = image.img_to_array(
        image.load_img(tmp_path / "picture.png", target_size=(64, 48), interpolation=keras)
    )
    found = seen(rgb, (64, 48), library="pillow", interpolation=interpolation, antialias=True)
    assert np.array_equal(found, expected)
