from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from skimage.segmentation import quickshift

from tests.unit.explain.pictures import frozen, mosaic
from worker.explain.errors import BadSegments, ImageTooUniform, TooManySegments
from worker.explain.options import MAX_SEGMENTS, Segmentation
from worker.explain.segments import SEGMENTERS, digest, segment

read = TypeAdapter(Segmentation).validate_python


def assert_numbered_without_gaps(segments: np.ndarray, shape: tuple[int, int]) -> None:
    assert segments.shape == shape
    assert segments.dtype == np.int32
    np.testing.assert_array_equal(np.unique(segments), np.arange(segments.max() + 1))


@pytest.mark.parametrize("method", SEGMENTERS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(48, 48), (17, 90), (90, 17)], ids=["square", "wide", "tall"])
def test_every_segmenter_numbers_its_segments_without_gaps(method, channels, size):
    image = mosaic(*size, channels=channels, tiles=6)
    segments = segment(image, read({"method": method, **_small(method)}))
    assert_numbered_without_gaps(segments, size)
    assert segments.max() >= 1


def _small(method):
    return {"felzenszwalb": {"min_size": 20}, "quickshift": {"max_dist": 20}}.get(method, {})


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    channels=st.sampled_from([1, 3]),
    method=st.sampled_from(sorted(SEGMENTERS)),
    seed=st.integers(0, 5),
)
def test_tiny_images_are_segmented_or_called_too_uniform(height, width, channels, method, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    try:
        segments = segment(frozen(image), read(method))
    except ImageTooUniform as error:
        assert "single segment" in str(error)  # noqa: PT017 (either outcome is right)
    else:
        assert_numbered_without_gaps(segments, (height, width))


@pytest.mark.parametrize(
    ("options", "cure"),
    [
        ("felzenszwalb", "Lower scale or min_size"),
        ("quickshift", "Lower max_dist or kernel_size"),
        ({"method": "grid", "rows": 1, "columns": 1}, "Raise rows or columns"),
    ],
)
def test_an_image_of_one_segment_is_refused_with_what_to_change(options, cure):
    flat = np.full((24, 24, 3), 90, dtype=np.uint8)
    flat[12, 12] = 91  # Quickshift breaks ties of a wholly flat image at random.
    if options == "quickshift":
        options = {"method": "quickshift", "max_dist": 1e6, "kernel_size": 10}
    with pytest.raises(ImageTooUniform, match=cure):
        segment(frozen(flat), read(options))


def test_quickshift_sees_the_image_as_uint8_unless_asked_for_the_signed_scale():
    image = mosaic(64, 64, tiles=5)
    floats = quickshift(image.astype(float), kernel_size=4, max_dist=200, ratio=0.2)
    whole = segment(image, read("quickshift"))
    signed = segment(image, read({"method": "quickshift", "signed_scale": True}))
    assert whole.max() < floats.max()
    np.testing.assert_array_equal(
        whole, quickshift(image, kernel_size=4, max_dist=200, ratio=0.2, rng=42)
    )
    np.testing.assert_array_equal(
        signed, quickshift(image / 127.5 - 1, kernel_size=4, max_dist=200, ratio=0.2, rng=42)
    )


@pytest.mark.parametrize(
    ("size", "suits"),
    [((32, 32), 25), ((160, 160), 26), ((160, 200), 32), ((224, 224), 50), ((640, 640), 50)],
)
def test_slic_is_asked_for_as_many_segments_as_suit_the_size(size, suits):
    image = mosaic(*size, channels=3, tiles=6)
    np.testing.assert_array_equal(
        segment(image, read({"method": "slic"})),
        segment(image, read({"method": "slic", "n_segments": suits})),
    )


def test_a_grid_has_its_rows_and_columns():
    segments = segment(mosaic(10, 20), read({"method": "grid", "rows": 2, "columns": 4}))
    assert segments.max() + 1 == 8
    assert (np.bincount(segments.ravel()) == 25).all()
    assert segments[0, 0] == 0
    assert segments[9, 19] == 7


def test_a_custom_map_is_renumbered_in_the_order_of_its_values():
    labels = np.array([[7, 7, 300], [-1, 7, 300]])
    segments = segment(mosaic(2, 3), read("custom"), custom=frozen(labels))
    np.testing.assert_array_equal(segments, [[1, 1, 2], [0, 1, 2]])
    assert segments.dtype == np.int32


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (None, "none came with the image"),
        (np.zeros((2, 3), dtype=int), "single segment"),
        (np.zeros((3, 2), dtype=int), "shape"),
        (np.zeros((2, 3)), "integers"),
    ],
)
def test_a_custom_map_that_cannot_be_used_is_refused(labels, said):
    with pytest.raises(BadSegments, match=said):
        segment(mosaic(2, 3), read("custom"), custom=labels)


def test_more_segments_than_allowed_are_refused():
    labels = np.arange(MAX_SEGMENTS + 1).reshape(1, -1)
    with pytest.raises(TooManySegments, match="the same label"):
        segment(mosaic(1, MAX_SEGMENTS + 1), read("custom"), custom=labels)


def test_the_digest_is_that_of_little_endian_int32():
    segments = np.array([[0, 1], [2, 1]], dtype=np.int32)
    bytes_ = b"\0\0\0\0\1\0\0\0\2\0\0\0\1\0\0\0"
    assert digest(segments) == hashlib.sha256(bytes_).hexdigest()
    assert digest(np.asfortranarray(segments)) == digest(segments)
