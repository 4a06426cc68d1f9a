from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from worker.result import UNSEEN, UploadSegments


def test_areas_and_boxes_are_those_of_the_pixels_seen() -> None:
    labels = np.full((4, 10), -1, np.int32)
    labels[1:3, 2:4] = 0
    labels[3, 9] = 2

    measured = UploadSegments.measure(labels, numbers=(0, 1, 2, 3))

    np.testing.assert_allclose(measured.areas, [4 / 40, 0, 1 / 40, 0])
    assert measured.boxes == ((2, 1, 4, 3), None, (9, 3, 10, 4), None)


def test_the_label_map_marks_what_the_model_does_not_see() -> None:
    labels = np.array([[-1, 0, 1], [1, 1, 300]], np.int32)

    data = UploadSegments.measure(labels, numbers=tuple(range(301))).png()

    with Image.open(io.BytesIO(data)) as picture:
        np.testing.assert_array_equal(np.asarray(picture), [[UNSEEN, 0, 1], [1, 1, 300]])


def test_the_label_map_has_the_numbers_of_its_reader() -> None:
    labels = np.array([[-1, 0, 1], [1, 1, 2]], np.int32)

    data = UploadSegments.measure(labels, numbers=(2, 40, 65_534)).png()

    with Image.open(io.BytesIO(data)) as picture:
        np.testing.assert_array_equal(np.asarray(picture), [[UNSEEN, 2, 40], [40, 40, 65_534]])


@pytest.mark.parametrize("number", [UNSEEN, 66_000])
def test_a_number_that_sixteen_bits_cannot_tell_is_refused(number: int) -> None:
    labels = np.array([[0, 1]], np.int32)
    with pytest.raises(ValueError, match=f"segment {number}"):
        UploadSegments.measure(labels, numbers=(0, number)).png()
