from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter

from tests.unit.explain.pictures import frozen, mosaic
from worker.explain.baselines import BASELINES, baseline_image
from worker.explain.options import Baseline

read = TypeAdapter(Baseline).validate_python

SEGMENTS = frozen(np.array([[0, 0, 1], [2, 1, 1]], dtype=np.int32))
IMAGE = frozen(np.array([[[0], [1], [10]], [[200], [20], [31]]], dtype=np.uint8).repeat(3, axis=2))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("method", BASELINES)
def test_every_baseline_has_the_form_of_the_image(method, channels):
    image = mosaic(20, 14, channels=channels)
    segments = frozen((np.arange(280, dtype=np.int32) // 70).reshape(20, 14))
    options = {"method": "colour", "colour": "#336699"} if method == "colour" else method
    made = baseline_image(image, segments, read(options))
    assert made.shape == image.shape
    assert made.dtype == np.uint8


def test_segment_means_lose_their_fraction():
    made = baseline_image(IMAGE, SEGMENTS, read("segment-mean"))
    np.testing.assert_array_equal(made[..., 0], [[0, 0, 20], [200, 20, 20]])  # 0.5, 20.33…


def test_the_image_mean_loses_its_fraction():
    assert np.unique(baseline_image(IMAGE, SEGMENTS, read("image-mean"))) == [43]  # 43.67


@pytest.mark.parametrize(("method", "level"), [("black", 0), ("grey", 128)])
def test_black_and_grey_are_plain(method, level):
    assert np.unique(baseline_image(IMAGE, SEGMENTS, read(method))) == [level]


def test_a_colour_is_shown_as_it_is_or_as_its_luma_on_grey_images():
    options = read({"method": "colour", "colour": "#FF8000"})
    assert baseline_image(IMAGE, SEGMENTS, options)[1, 1].tolist() == [255, 128, 0]
    luma = round(0.299 * 255 + 0.587 * 128)
    assert np.unique(baseline_image(IMAGE[..., :1], SEGMENTS, options)) == pytest.approx(
        luma, abs=1
    )


def test_blur_keeps_a_plain_image_and_smooths_an_edge():
    options = read({"method": "blur", "sigma": 3.0})
    plain = np.full((12, 12, 3), 77, dtype=np.uint8)
    np.testing.assert_array_equal(baseline_image(plain, np.zeros((12, 12)), options), plain)
    edge = np.zeros((12, 40, 3), dtype=np.uint8)
    edge[:, 20:] = 200
    row = baseline_image(edge, np.zeros((12, 40)), options)[6, :, 0].astype(int)
    assert row[0] == 0
    assert row[-1] == 200
    assert (np.diff(row) >= 0).all()
    assert np.diff(row).max() < 40
