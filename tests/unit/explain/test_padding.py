"""Padding around the picture belongs to no segment, and nothing that is told depends on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.explain.pictures import frozen, scoring
from tests.unit.explain.requests import IMAGE, PREDICT, explained, options
from worker.explain.geometry import Geometry
from worker.explain.perturb import Hiding, batches

FRAME = (slice(5, 5 + IMAGE.shape[0]), slice(0, IMAGE.shape[1]))


def padded(colour: int = 0) -> np.ndarray:
    image = np.full((80, IMAGE.shape[1] + 9, 3), colour, dtype=np.uint8)
    image[FRAME] = IMAGE
    return frozen(image)


def on_frame(images: np.ndarray) -> np.ndarray:
    """A model that looks at the picture alone."""
    return PREDICT(images[:, FRAME[0], FRAME[1]])


@pytest.mark.parametrize("colour", [0, 114])
@pytest.mark.parametrize(
    "values",
    [
        {},
        {"baseline": "image-mean"},
        {"baseline": {"method": "blur", "sigma": 4.0}},
        {"segmentation": {"method": "slic", "n_segments": 12}},
        {"segmentation": {"method": "quickshift", "kernel_size": 2, "max_dist": 10}},
        {"distance": "image", "insertion_deletion": True},
    ],
)
def test_a_picture_in_padding_is_explained_as_the_picture_alone(colour, values):
    chosen = options(**values)
    alone = explained(chosen)
    within = explained(chosen, image=padded(colour), frame=FRAME, score=scoring(on_frame))
    np.testing.assert_array_equal(within.segments, alone.segments)
    assert within.segments_sha256 == alone.segments_sha256
    assert within.samples_used == alone.samples_used
    for one, other in zip(within.classes, alone.classes, strict=True):
        np.testing.assert_array_equal(one.attributions, other.attributions)
        np.testing.assert_array_equal(one.standard_errors, other.standard_errors)
        assert one.insertion_deletion == other.insertion_deletion
    assert within.warnings == alone.warnings


@pytest.mark.parametrize("baseline", ["segment-mean", "grey", "black", {"method": "blur"}])
def test_the_model_sees_the_same_padding_in_every_image(baseline):
    seen = []

    def predict(images: np.ndarray) -> np.ndarray:
        seen.extend(images.copy())
        return on_frame(images)

    image = padded(37)
    outside = np.ones(image.shape[:2], dtype=bool)
    outside[FRAME] = False
    explained(options(baseline=baseline), image=image, frame=FRAME, score=scoring(predict))
    assert len(seen) > 60
    assert all(np.array_equal(one[outside], image[outside]) for one in seen)
    assert len({one.tobytes() for one in seen}) > 60


def test_a_label_map_of_two_halves_has_two_segments_in_padding_too():
    labels = (np.arange(IMAGE.shape[1])[None, :] >= 30) + np.zeros((IMAGE.shape[0], 1), int)
    answer = explained(
        options(segmentation={"method": "custom"}, samples=32),
        image=padded(),
        frame=FRAME,
        custom_segments=labels,
        score=scoring(on_frame),
    )
    assert answer.classes[0].attributions.shape == (2,)
    # Of the picture; padding would be most of the image.
    assert not [one for one in answer.warnings if one.code == "large-segment"]


def test_areas_are_shares_of_the_picture():
    segments = np.repeat([[0, 0, 0, 1]], 2, axis=0).astype(np.int32)
    image = np.zeros((6, 4, 1), np.uint8)
    hiding = Hiding(
        image=image,
        baseline=np.full((2, 4, 1), 9, np.uint8),
        segments=segments,
        frame=(slice(3, 5), slice(0, 4)),
    )
    np.testing.assert_array_equal(hiding.areas, [0.75, 0.25])
    (hidden,) = next(batches(hiding, np.array([[True, False]]), batch_size=1))
    assert [tuple(at) for at in np.argwhere(hidden[..., 0])] == [(3, 3), (4, 3)]
    straight = replace(hiding, image=image[hiding.frame], frame=(slice(None), slice(None)))
    (same,) = next(batches(straight, np.array([[True, False]]), batch_size=1))
    np.testing.assert_array_equal(hidden[hiding.frame], same)


@pytest.mark.parametrize("upload", [(40, 400), (400, 40), (8, 400), (33, 34)])
def test_every_segment_of_a_padded_upload_lies_on_the_upload(upload):
    mapping = Geometry(
        resize="pad",
        interpolation="bilinear",
        upload_size=upload,
        input_size=(64, 64),
        channels=3,
    )
    rgb = np.random.default_rng(0).integers(0, 256, (*upload, 3), dtype=np.uint8)
    answer = explained(
        options(segmentation={"method": "grid", "rows": 1, "columns": 8}, samples=64)
        if upload[0] < upload[1]
        else options(segmentation={"method": "grid", "rows": 8, "columns": 1}, samples=64),
        image=mapping.to_input(rgb),
        frame=mapping.frame,
        score=scoring(lambda images: images.mean(axis=(1, 2))),
    )
    shown = np.unique(mapping.labels_to_upload(answer.segments))
    np.testing.assert_array_equal(shown, np.arange(8))
