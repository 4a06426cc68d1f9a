from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from worker.explain.geometry import UNSEEN, Geometry

RESIZES = ["stretch", "crop", "pad"]
SIDES = st.integers(1, 90)
# What makes stored pixels upright, by the EXIF orientation that says so.
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def geometry(
    resize="stretch", upload=(300, 451), model=(224, 224), channels=3, how="bilinear", **changes
):
    return Geometry(
        resize=resize,
        interpolation=how,
        upload_size=upload,
        input_size=model,
        channels=channels,
        **changes,
    )


def upright(stored, orientation):
    turn = TURNS[orientation]
    return stored if turn is None else np.asarray(Image.fromarray(stored).transpose(turn))


def photograph(size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def stripes(size):
    """Labels that count the columns."""
    return np.broadcast_to(np.arange(size[1]), size).astype(np.int32)


@pytest.mark.parametrize(
    ("how", "pillow"),
    [
        ("bilinear", Image.Resampling.BILINEAR),
        ("bicubic", Image.Resampling.BICUBIC),
        ("area", Image.Resampling.BOX),
    ],
)
def test_stretch_is_pillows_resize_with_the_named_filter(how, pillow):
    rgb = photograph((30, 45))
    seen = geometry(upload=(30, 45), model=(16, 20), how=how).to_input(rgb)
    assert np.array_equal(seen, np.asarray(Image.fromarray(rgb).resize((20, 16), pillow)))


def test_an_upload_of_the_input_size_is_untouched():
    rgb = photograph((24, 24))
    for resize in RESIZES:
        seen = geometry(resize, upload=(24, 24), model=(24, 24)).to_input(rgb)
        assert np.array_equal(seen, rgb)
        assert not np.shares_memory(seen, rgb)


def test_one_channel_is_luma():
    rgb = np.zeros((8, 8, 3), np.uint8)
    rgb[..., 1] = 200
    seen = geometry(upload=(8, 8), model=(4, 4), channels=1).to_input(rgb)
    assert seen.shape == (4, 4, 1)
    assert set(seen.ravel()) == {117}  # 0.587 of 200


def test_crop_takes_the_centre_and_keeps_the_aspect_ratio():
    rgb = photograph((20, 60))
    seen = geometry("crop", upload=(20, 60), model=(20, 20)).to_input(rgb)
    assert np.array_equal(seen, rgb[:, 20:40])


def test_pad_shows_all_of_the_upload_between_black_bands():
    rgb = np.full((20, 60, 3), 90, np.uint8)
    seen = geometry("pad", upload=(20, 60), model=(30, 30)).to_input(rgb)
    assert np.all(seen[10:20] == 90)
    assert not seen[:10].any()
    assert not seen[20:].any()


def test_the_upload_is_not_changed_and_the_result_is_writable():
    rgb = photograph((30, 45))
    before = rgb.copy()
    seen = geometry(upload=(30, 45)).to_input(rgb)
    seen[:] = 0
    assert np.array_equal(rgb, before)


def test_crop_leaves_what_the_model_does_not_see_without_a_segment():
    back = geometry("crop", upload=(20, 60), model=(10, 10)).labels_to_upload(stripes((10, 10)))
    assert back.shape == (20, 60)
    assert back.dtype == np.int32
    assert np.all(back[:, :20] == UNSEEN)
    assert np.all(back[:, 40:] == UNSEEN)
    assert np.array_equal(back[0, 20:40], np.repeat(np.arange(10), 2))


def test_padding_has_no_label_on_the_way_there_and_none_on_the_way_back():
    labels = np.full((20, 60), 4)
    labels[:, 30:] = 7
    mapping = geometry("pad", upload=(20, 60), model=(30, 30))
    assert mapping.frame == (slice(10, 20), slice(0, 30))
    seen = mapping.labels_to_input(labels)
    assert seen.shape == (10, 30)
    assert np.all(seen[:, :15] == 4)
    assert np.all(seen[:, 15:] == 7)
    assert np.array_equal(mapping.labels_to_upload(seen), labels)


@pytest.mark.parametrize("resize", RESIZES)
def test_the_part_of_a_label_map_that_is_seen_is_that_without_unseen_pixels(resize):
    mapping = geometry(resize, upload=(20, 61), model=(10, 12))
    labels = np.arange(20 * 61).reshape(20, 61)
    height, width = (part.stop - part.start for part in mapping.frame)
    back = mapping.labels_to_upload(np.zeros((height, width), int))
    assert np.array_equal(mapping.seen(labels).ravel(), labels[back != UNSEEN])


@given(
    resize=st.sampled_from(RESIZES),
    upload=st.tuples(SIDES, SIDES),
    model=st.tuples(SIDES, SIDES),
    channels=st.sampled_from([1, 3]),
)
@settings(max_examples=150, deadline=None)
def test_any_size_maps_there_and_back(resize, upload, model, channels):
    mapping = geometry(resize, upload=upload, model=model, channels=channels)
    assert mapping.to_input(np.zeros((*upload, 3), np.uint8)).shape == (*model, channels)
    frame = np.zeros(model, np.int64)[mapping.frame].shape
    back = mapping.labels_to_upload(np.arange(frame[0] * frame[1]).reshape(frame))
    assert back.shape == upload
    assert back.min() >= UNSEEN
    if resize != "crop":
        assert (back != UNSEEN).all()
    labels = np.arange(upload[0] * upload[1]).reshape(upload)
    assert mapping.labels_to_input(labels).shape == frame
    assert mapping.labels_to_input(labels).min() >= 0


@given(resize=st.sampled_from(RESIZES), upload=st.tuples(SIDES, SIDES), factor=st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_labels_survive_the_round_trip_where_the_input_is_finer(resize, upload, factor):
    model = (upload[0] * factor, upload[1] * factor)
    mapping = geometry(resize, upload=upload, model=model)
    labels = np.arange(upload[0] * upload[1]).reshape(upload)
    assert np.array_equal(mapping.labels_to_upload(mapping.labels_to_input(labels)), labels)


@pytest.mark.parametrize("upload", [(2000, 100), (100, 2000), (400, 8)])
@pytest.mark.parametrize("resize", RESIZES)
def test_where_a_thing_is_agrees_between_pixels_and_labels(resize, upload):
    """A bright rectangle is found at the same place by its pixels and by its label."""
    height, width = upload
    labels = np.zeros(upload, np.int64)
    top, left = (height - 8) // 2, (width - 6) // 2
    labels[top : top + 8, left : left + 4] = 1
    rgb = np.repeat((labels * 255).astype(np.uint8)[..., None], 3, axis=2)
    mapping = geometry(resize, upload=upload, model=(448, 448), how="area")
    by_pixels = np.argwhere(mapping.to_input(rgb)[..., 0] > 100).mean(axis=0)
    corner = [part.start for part in mapping.frame]
    by_label = np.argwhere(mapping.labels_to_input(labels) == 1).mean(axis=0) + corner
    assert np.allclose(by_pixels, by_label, atol=0.5)


def test_the_size_of_an_input_pixel_is_told_in_upload_pixels():
    assert geometry(upload=(448, 672)).input_pixel == (2.0, 3.0)
    assert geometry("crop", upload=(448, 672)).input_pixel == (2.0, 2.0)
    assert geometry("pad", upload=(448, 672)).input_pixel[1] == 3.0


@pytest.mark.parametrize("library", ["pillow", "tensorflow"])
@pytest.mark.parametrize("resize", [*RESIZES, "short-side"])
@pytest.mark.parametrize("orientation", TURNS)
def test_an_orientation_that_production_ignores_leaves_the_model_the_stored_pixels(
    orientation, resize, library
):
    stored = photograph((30, 47))
    shown = upright(stored, orientation)
    how = {"model": (16, 20), "library": library, "short_side": 22}
    ignoring = geometry(resize, upload=shown.shape[:2], orientation=orientation, **how)
    expected = geometry(resize, upload=(30, 47), **how).to_input(stored)
    assert np.array_equal(ignoring.to_input(shown), expected)


@pytest.mark.parametrize("resize", [*RESIZES, "short-side"])
@pytest.mark.parametrize("orientation", TURNS)
def test_segments_of_stored_pixels_are_found_where_people_see_them(orientation, resize):
    stored = np.zeros((40, 64), np.uint8)
    stored[12:20, 20:36] = 1
    shown = upright(stored, orientation)
    mapping = geometry(
        resize, upload=shown.shape, model=(40, 64), orientation=orientation, short_side=40
    )
    seen = mapping.labels_to_input(shown)
    assert np.array_equal(seen, stored)
    assert np.array_equal(mapping.labels_to_upload(seen), shown)


def test_an_input_pixel_of_an_upload_on_its_side_is_told_as_it_is_shown():
    assert geometry(upload=(672, 448), orientation=6).input_pixel == (3.0, 2.0)


def test_short_side_resizes_the_shorter_side_and_cuts_the_centre_out():
    rgb = photograph((64, 128))
    seen = geometry("short-side", upload=(64, 128), model=(28, 28), short_side=32).to_input(rgb)
    resized = np.asarray(Image.fromarray(rgb).resize((64, 32), Image.Resampling.BILINEAR))
    assert np.array_equal(seen, resized[2:30, 18:46])


def test_short_side_leaves_its_margin_without_a_segment():
    mapping = geometry("short-side", upload=(64, 128), model=(28, 28), short_side=32)
    back = mapping.labels_to_upload(np.ones((28, 28), int))
    assert np.argwhere(back == 1).min(axis=0).tolist() == [4, 36]
    assert np.argwhere(back == 1).max(axis=0).tolist() == [59, 91]
    assert mapping.input_pixel == (2.0, 2.0)


def test_short_side_shows_black_where_the_crop_reaches_beyond_the_image():
    mapping = geometry("short-side", upload=(20, 20), model=(10, 30), short_side=20)
    seen = mapping.to_input(np.full((20, 20, 3), 90, np.uint8))
    assert np.all(seen[:, 5:25] == 90)
    assert not seen[:, :5].any()
    assert not seen[:, 25:].any()
    assert mapping.frame == (slice(0, 10), slice(5, 25))
    assert np.array_equal(mapping.labels_to_input(np.full((20, 20), 3)), np.full((10, 20), 3))


def test_short_side_needs_its_length():
    with pytest.raises(ValueError, match="needs the length"):
        geometry("short-side").to_input(photograph((300, 451)))


@given(
    resize=st.sampled_from([*RESIZES, "short-side"]),
    library=st.sampled_from(["pillow", "tensorflow", "torch", "opencv"]),
    upload=st.tuples(SIDES, SIDES),
    model=st.tuples(SIDES, SIDES),
    orientation=st.sampled_from(sorted(TURNS)),
    short_side=st.integers(1, 120),
)
@settings(max_examples=150, deadline=None)
def test_any_size_is_mapped_as_any_library_does_it(
    resize, library, upload, model, orientation, short_side
):
    mapping = geometry(
        resize, upload=upload, model=model, library=library, orientation=orientation,
        short_side=short_side,
    )  # fmt: skip
    white = mapping.to_input(np.full((*upload, 3), 255, np.uint8))
    shown = np.zeros(model, bool)
    shown[mapping.frame] = True
    assert np.array_equal(white[..., 0] == 255, shown)
    labels = mapping.labels_to_input(np.zeros(upload, int))
    assert labels.shape == white[mapping.frame].shape[:2]
    back = mapping.labels_to_upload(labels)
    assert back.shape == upload
    seen = np.arange(back.size).reshape(upload)
    assert sorted(mapping.seen(seen).ravel()) == sorted(seen[back != UNSEEN])


def test_arrays_of_another_size_or_type_are_refused():
    mapping = geometry(upload=(30, 45), model=(16, 16))
    with pytest.raises(ValueError, match="uint8"):
        mapping.to_input(np.zeros((30, 45, 3)))
    with pytest.raises(ValueError, match="uint8 image of"):
        mapping.to_input(np.zeros((45, 30, 3), np.uint8))
    with pytest.raises(ValueError, match="label map"):
        mapping.labels_to_input(np.zeros((16, 16), int))
    with pytest.raises(ValueError, match="segments"):
        mapping.labels_to_upload(np.zeros((30, 45), int))
