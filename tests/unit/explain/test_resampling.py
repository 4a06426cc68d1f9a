"""Resizing held against what other libraries made of the same picture.

``references.npz`` was made by ``make_references.py``. TensorFlow and Keras, which are installed
here, are asked in ``tests/integration/explain/test_resizing.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from worker.explain.geometry import Geometry
from worker.explain.resampling import FILTERS, resample, to_bytes

with np.load(Path(__file__).with_name("references.npz")) as file:
    REFERENCES = dict(file)
PICTURE = REFERENCES["picture"]
SIZES = [(10, 12), (31, 40)]


def furthest(found, expected):
    assert found.shape == expected.shape
    return np.abs(found.astype(int) - expected.astype(int)).max()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("interpolation", sorted(FILTERS["torch"]))
def test_torch_is_torchvision_on_tensors(interpolation, antialias, size):
    found = resample(
        PICTURE, size, library="torch", interpolation=interpolation, antialias=antialias
    )
    assert furthest(found, REFERENCES[f"torch {interpolation} {antialias} {size}"]) <= 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_torchvision_on_floats_is_tensorflow_with_antialias(interpolation, size):
    found = resample(
        PICTURE, size, library="tensorflow", interpolation=interpolation, antialias=True
    )
    expected = REFERENCES[f"torch floats {interpolation} {size}"]
    assert np.abs(found - expected).max() < 0.01


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("interpolation", sorted(FILTERS["opencv"]))
def test_opencv_is_cv2_resize(interpolation, size):
    found = resample(PICTURE, size, library="opencv", interpolation=interpolation, antialias=False)
    assert furthest(found, REFERENCES[f"opencv {interpolation} False {size}"]) <= 1


@pytest.mark.parametrize("library", ["pillow", "torch"])
@pytest.mark.parametrize("lies", [False, True])
@pytest.mark.parametrize(("side", "crop"), [(16, (14, 14)), (20, (11, 18)), (16, (14, 30))])
def test_a_short_side_is_torchvisions_resize_and_centre_crop(library, lies, side, crop):
    """In the last case the crop is wider than the picture: there torchvision pads with black."""
    upload = np.ascontiguousarray(PICTURE.swapaxes(0, 1) if lies else PICTURE)
    height, width = upload.shape[:2]
    seen = Geometry(
        resize="short-side",
        short_side=side,
        interpolation="bilinear",
        library=library,
        upload_size=(height, width),
        input_size=crop,
        channels=3,
    ).to_input(upload)
    assert furthest(seen, REFERENCES[f"{library} {height}x{width} {side} {crop}"]) <= 1


@pytest.mark.parametrize("library", sorted(FILTERS))
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (300, 2)])
@pytest.mark.parametrize("shape", [(1, 9, 3), (9, 1, 1), (1, 1, 3), (25, 25, 1)])
def test_sides_of_one_pixel_and_a_uniform_image_stay_uniform(library, shape, size):
    for interpolation in FILTERS[library]:
        for antialias in (False, True):
            found = resample(
                np.full(shape, 201, np.uint8),
                size,
                library=library,
                interpolation=interpolation,
                antialias=antialias,
            )
            assert found.shape == (*size, shape[2])
            assert np.all(to_bytes(found) == 201), (interpolation, antialias)


@pytest.mark.parametrize("library", sorted(FILTERS))
def test_a_part_of_the_result_is_that_part_of_the_whole(library):
    for interpolation in FILTERS[library]:
        how = {"library": library, "interpolation": interpolation, "antialias": False}
        part = resample(PICTURE, (40, 30), **how, part=(slice(3, 20), slice(7, 9)))
        assert np.array_equal(part, resample(PICTURE, (40, 30), **how)[3:20, 7:9])


def test_tensorflow_returns_floats_and_the_others_bytes():
    for library, names in FILTERS.items():
        for interpolation in names:
            found = resample(
                PICTURE, (9, 9), library=library, interpolation=interpolation, antialias=False
            )
            floats = library == "tensorflow" and interpolation != "nearest"
            assert found.dtype == (np.float32 if floats else np.uint8)


def test_a_cubic_filter_that_reaches_beyond_white_and_black_is_cut_off_there():
    edge = np.zeros((4, 8, 1), np.uint8)
    edge[:, 4:] = 255
    found = resample(edge, (4, 64), library="tensorflow", interpolation="bicubic", antialias=False)
    assert found.min() < 0
    assert found.max() > 255
    bytes_of_it = to_bytes(found).astype(int)
    assert (bytes_of_it.min(), bytes_of_it.max()) == (0, 255)
    assert np.all(np.diff(bytes_of_it[0, 24:40, 0]) >= 0)
