from __future__ import annotations

import numpy as np
import pytest

from worker.serving.preprocess import affine, to_float
from worker.serving.profile import CustomPreprocess, Layout, NamedPreprocess

RGB = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 3), np.uint8)
RGB[0, 0, 0] = (0, 128, 255)


def by_hand(name: str, pixels: np.ndarray) -> np.ndarray:
    """Formulas of keras.applications' preprocess_input, written out in float64."""
    values = pixels.astype(np.float64)
    match name:
        case "raw":
            return values
        case "unit":
            return values / 255
        case "tf":
            return values / 127.5 - 1
        case "caffe":
            return values[..., ::-1] - [103.939, 116.779, 123.68]
        case _:
            return (values / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("name", ["raw", "unit", "tf", "caffe", "torch"])
def test_named_forms_follow_their_formulas(name: NamedPreprocess, layout: Layout) -> None:
    made = to_float(RGB, affine(name), layout=layout)
    expected = by_hand(name, RGB)
    if layout == "NCHW":
        expected = expected.transpose(0, 3, 1, 2)
    assert made.dtype == np.float32
    assert made.flags.c_contiguous
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_custom_mean_and_std_are_of_the_channels_as_the_model_orders_them(
    layout: Layout,
) -> None:
    how = CustomPreprocess(mean=(10, 20, 30), std=(2, 4, 8), order="BGR")
    expected = (RGB[..., ::-1].astype(np.float64) - [10, 20, 30]) / [2, 4, 8]
    if layout == "NCHW":
        expected = expected.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(to_float(RGB, affine(how), layout=layout), expected, rtol=1e-5)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_grey_images_have_one_mean(layout: Layout) -> None:
    grey = RGB[..., :1]
    how = CustomPreprocess(mean=(127,), std=(128,))
    made = to_float(grey, affine(how), layout=layout)
    np.testing.assert_allclose(made.ravel(), (grey.ravel() - 127.0) / 128, atol=1e-6)
    assert made.shape == ((3, 5, 4, 1) if layout == "NHWC" else (3, 1, 5, 4))


def test_raw_pixels_are_exact() -> None:
    np.testing.assert_array_equal(to_float(RGB, affine("raw"), layout="NHWC"), RGB)


def test_the_batch_itself_stays_as_it_is() -> None:
    before = RGB.copy()
    to_float(RGB, affine("caffe"), layout="NHWC")
    np.testing.assert_array_equal(RGB, before)
