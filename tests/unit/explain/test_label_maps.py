"""What of a client's label map the model sees, and what is said of the rest."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.explain.requests import IMAGE, explained, options
from worker.explain.errors import BadSegments, TooManySegments
from worker.explain.geometry import Geometry
from worker.explain.label_maps import LabelMap


def geometry(resize="stretch", upload=(640, 640), model=(64, 64)):
    return Geometry(
        resize=resize,
        interpolation="bilinear",
        upload_size=upload,
        input_size=model,
        channels=3,
    )


def four_labels() -> np.ndarray:
    labels = np.full((640, 640), 2, np.int32)
    labels[160:320, 320:560] = 7
    labels[500:600, 100:200] = 5
    labels[10:13, 10:13] = 9
    return labels


def test_labels_keep_their_numbers_and_one_that_vanished_is_named():
    found = LabelMap.at_input(four_labels(), geometry())
    assert np.unique(found.labels).tolist() == [2, 5, 7]
    assert (found.vanished, found.cut_off) == ((9,), ())
    (warning,) = found.warnings()
    assert (warning.code, warning.severity) == ("labels-vanished", "warning")
    assert "64×64" in warning.text
    assert warning.text.endswith("label 9.")


def test_what_is_cut_off_is_told_from_what_is_too_small():
    labels = np.full((64, 256), 1, np.int32)
    labels[:, :20] = 4
    labels[:, 120:140] = 8
    labels[30:32, 100:102] = 6
    found = LabelMap.at_input(labels, geometry("crop", upload=(64, 256), model=(8, 8)))
    assert (found.vanished, found.cut_off) == ((6,), (4,))
    assert [one.code for one in found.warnings()] == ["labels-vanished", "labels-cut-off"]


def test_many_labels_that_vanished_are_counted():
    found = LabelMap.at_input(np.arange(640 * 640).reshape(640, 640) // 160, geometry())
    assert len(np.unique(found.labels)) + len(found.vanished) == 2560
    (warning,) = found.warnings()
    assert f"and {len(found.vanished) - 20} more" in warning.text


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_labels_that_are_all_seen_come_without_a_warning(resize):
    labels = np.repeat([0, 300, 65_534], 40)[None, :].repeat(30, axis=0)
    found = LabelMap.at_input(labels, geometry(resize, upload=(30, 120)))
    assert np.unique(found.labels).tolist() == [0, 300, 65_534]
    assert not list(found.warnings())


def test_a_map_of_which_one_label_is_left_is_refused_for_the_true_reason():
    labels = np.full((640, 320), 2)
    labels[:100] = 1
    with pytest.raises(BadSegments, match=r"only label 2 is left.*Outside.*label 1"):
        LabelMap.at_input(labels, geometry("crop", upload=(640, 320)))
    labels[:] = 2
    labels[1, 1] = 3
    with pytest.raises(BadSegments, match=r"only label 2 is left.*Too small.*label 3"):
        LabelMap.at_input(labels, geometry(upload=(640, 320)))


def test_an_explanation_calls_its_segments_by_the_clients_labels():
    labels = np.full(IMAGE.shape[:2], 40)
    labels[:10, :10], labels[-10:, -10:] = 7, 1000
    custom = options(segmentation={"method": "custom"}, samples=64)
    answer = explained(custom, custom_segments=labels)
    assert answer.segment_numbers == (7, 40, 1000)
    np.testing.assert_array_equal(np.array(answer.segment_numbers)[answer.segments], labels)
    (large,) = [one for one in answer.warnings if one.code == "large-segment"]
    assert "Segment 40 covers" in large.text
    assert explained(options()).segment_numbers == tuple(range(12))


def test_the_same_regions_under_other_numbers_get_the_same_attributions():
    labels = (np.arange(IMAGE.shape[1]) // 10)[None, :].repeat(IMAGE.shape[0], axis=0)
    custom = options(segmentation={"method": "custom"}, samples=64)
    one = explained(custom, custom_segments=labels)
    other = explained(custom, custom_segments=3 * labels + 11)
    np.testing.assert_array_equal(one.classes[0].attributions, other.classes[0].attributions)
    assert other.segment_numbers == (11, 14, 17, 20, 23, 26)


def test_a_map_of_too_many_labels_is_refused_in_words_of_the_map():
    labels = np.arange(IMAGE.shape[0] * IMAGE.shape[1]).reshape(IMAGE.shape[:2])
    with pytest.raises(TooManySegments, match=r"2880 segments.*same label"):
        explained(options(segmentation={"method": "custom"}), custom_segments=labels)
