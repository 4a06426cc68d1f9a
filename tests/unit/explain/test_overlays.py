from __future__ import annotations

import dataclasses
import io
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from tests.unit.explain.scenes import drawn, quarter, quarters
from worker.explain.options import Picture, Style
from worker.explain.overlays import STYLES, Scene, draw

RED, GREEN, BLUE = 0, 1, 2


def luma(pixels):
    return float(pixels.mean())


def with_attributions(scene, *values):
    return dataclasses.replace(scene, attributions=np.array(values, float))


def unseen_right_half(scene):
    segments = scene.segments.copy()
    segments[:, segments.shape[1] // 2 :] = -1
    return dataclasses.replace(scene, segments=segments)


# --- every style ------------------------------------------------------------------------------


def test_the_registry_has_every_style_that_may_be_asked_for_and_no_other():
    assert set(STYLES) == set(get_args(Style))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("form", ["png", "webp"])
def test_the_same_scene_gives_the_same_bytes_in_the_format_asked_for(style, form):
    picture = Picture(style=style, format=form)
    first, again = draw(picture, quarters()), draw(picture, quarters())
    assert first == again
    image = Image.open(io.BytesIO(first))
    assert image.format == form.upper()
    assert image.mode == "RGB"


@pytest.mark.parametrize("style", STYLES)
def test_a_scene_is_not_changed_by_drawing_it(style):
    scene, before = quarters(), quarters()
    draw(Picture(style=style, smoothing=3.0), scene)
    for name in ("upload", "segments", "attributions"):
        assert np.array_equal(getattr(scene, name), getattr(before, name))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("size", "max_side"),
    [
        ((400, 8), 500),
        ((8, 400), 500),
        ((9, 9), 500),
        ((60, 2000), 500),
        ((2000, 60), 500),
        ((60, 90), 64),
        ((2000, 60), 64),
        ((12, 9), 2048),
    ],
)
def test_any_shape_is_drawn_within_the_longest_side(style, size, max_side):
    image = drawn(quarters(*size), style, max_side=max_side)
    assert max(image.shape) <= max_side
    assert image.std() > 0


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("values", [(0, 0, 0, 0), (-1, -2, -3, -4), (1, 1, 1, 1), (0, 0, 1e-9, 0)])
def test_attributions_of_any_kind_give_a_picture(style, values):
    assert drawn(with_attributions(quarters(), *values), style).std() > 0


@pytest.mark.parametrize("style", ["boundaries", "highlight", "signed"])
def test_pixels_of_an_ordinary_upload_are_those_of_the_picture(style):
    assert drawn(quarters(420, 630), style).shape == (420, 630, 3)


def test_a_small_upload_grows_by_a_whole_factor():
    assert drawn(quarters(30, 120), "signed").shape == (120, 480, 3)


def test_a_large_upload_shrinks_to_the_longest_side():
    assert drawn(quarters(800, 1200), "signed", max_side=600).shape == (400, 600, 3)


@pytest.mark.parametrize("style", ["boundaries", "highlight", "signed"])
def test_what_the_model_does_not_see_is_dark_and_hatched(style):
    image = drawn(unseen_right_half(quarters()), style)
    unseen = quarter(image, 1)
    assert luma(unseen) < 0.7 * luma(quarters().upload)
    rows = image[60:90, 340:560, 0]
    assert rows.std() > 20  # The lines of the hatching.
    assert np.ptp(unseen, axis=1).max() == 0  # And no colour that could be an attribution.


@pytest.mark.parametrize(
    "wrong",
    [
        {"upload": np.zeros((400, 601, 3), np.uint8)},
        {"upload": np.zeros((400, 600, 3))},
        {"attributions": np.zeros(3)},
        {"attributions": np.array([0, 1, np.nan, 0])},
    ],
)
def test_a_scene_that_does_not_fit_together_is_refused(wrong):
    with pytest.raises(ValueError, match=r"fit|attributions"):
        dataclasses.replace(quarters(), **wrong)


# --- boundaries -------------------------------------------------------------------------------


def test_boundaries_are_yellow_where_segments_change_and_nowhere_else():
    scene = quarters()
    image = drawn(scene, "boundaries")
    for crossing in (image[198:202, 100], image[100, 298:302]):
        assert (crossing[:, RED] - crossing[:, BLUE]).max() > 180
    for index in range(4):
        assert np.array_equal(quarter(image, index), quarter(scene.upload.astype(int), index))


# --- highlight --------------------------------------------------------------------------------


def test_highlight_leaves_positive_segments_as_they_are_and_dims_the_rest():
    scene = quarters()
    image, original = drawn(scene, "highlight"), scene.upload.astype(int)
    for shown in (0, 2):
        assert np.array_equal(quarter(image, shown), quarter(original, shown))
    for rest in (1, 3):
        assert luma(quarter(image, rest)) < 0.5 * luma(quarter(original, rest))
        assert luma(quarter(image, rest)) > 10


def test_highlight_shows_the_strongest_alone_when_told_so():
    image, original = drawn(quarters(), "highlight", top_k=1), quarters().upload.astype(int)
    assert np.array_equal(quarter(image, 0), quarter(original, 0))
    assert luma(quarter(image, 2)) < 0.5 * luma(quarter(original, 2))


def test_highlight_hides_the_rest_when_told_so():
    image = drawn(quarters(), "highlight", hide_rest=True)
    assert not quarter(image, 1).any()
    assert not quarter(image, 3).any()


def test_highlight_says_so_when_nothing_speaks_for_the_class():
    image = drawn(with_attributions(quarters(), -1, -1, 0, 0), "highlight")
    assert (image[-40:] > 200).any()  # White text on the strip at the foot.
    assert not (image[:-40] > 100).any()


# --- signed -----------------------------------------------------------------------------------


def test_signed_is_green_for_and_red_against():
    image = drawn(quarters(), "signed")
    positive, negative = quarter(image, 0), quarter(image, 1)
    assert np.all(positive[:, GREEN] > positive[:, RED] + 40)
    assert np.all(negative[:, RED] > negative[:, GREEN] + 40)


def test_signed_can_be_blue_for_and_orange_against():
    image = drawn(quarters(), "signed", colours="blue-orange")
    positive, negative = quarter(image, 0), quarter(image, 1)
    assert np.all(positive[:, BLUE] > positive[:, RED] + 40)
    assert np.all(negative[:, RED] > negative[:, BLUE] + 40)


def test_the_colour_of_the_photograph_is_gone_so_that_a_colour_means_a_sign():
    neutral = quarter(drawn(quarters(), "signed"), 3)  # Attribution zero, on a warm photograph.
    assert np.ptp(neutral, axis=1).max() == 0


def test_opacity_grows_with_the_attribution_in_proportion():
    image = drawn(quarters(), "signed")
    strong = (quarter(image, 0)[:, GREEN] - quarter(image, 0)[:, RED]).mean()
    weak = (quarter(image, 2)[:, GREEN] - quarter(image, 2)[:, RED]).mean()
    assert weak == pytest.approx(strong / 4, rel=0.05)


def test_the_photograph_can_be_seen_through_the_strongest_segment():
    assert quarter(drawn(quarters(), "signed"), 0)[:, GREEN].std() > 2


@pytest.mark.parametrize("limit", [{"top_k": 2}, {"coverage": 0.4}])
def test_signed_shows_the_strongest_within_its_limit_and_dims_the_rest(limit):
    image = drawn(quarters(), "signed", **limit)
    assert np.ptp(quarter(image, 0), axis=1).min() > 40
    assert np.ptp(quarter(image, 1), axis=1).min() > 40
    assert np.ptp(quarter(image, 2), axis=1).max() == 0
    assert luma(quarter(image, 2)) < 60


def test_signed_shows_what_speaks_for_alone_when_told_so():
    image = drawn(quarters(), "signed", positive_only=True)
    assert np.ptp(quarter(image, 0), axis=1).min() > 40
    assert np.ptp(quarter(image, 1), axis=1).max() == 0


def test_the_sign_can_be_told_from_the_pattern_without_colour():
    plain = drawn(quarters(), "signed").mean(axis=2)
    outlined = drawn(quarters(), "signed", outline=True).mean(axis=2)
    hatched = np.abs(outlined - plain) > 30
    against, in_favour = hatched[30:170, 330:570], hatched[30:170, 30:270]
    assert 0.05 < against.mean() < 0.3
    assert not in_favour.any()
    assert (outlined[195:205, 100] > 250).any()  # A white line around what is shown.


# --- which segments are shown -------------------------------------------------------------------


def segments_in_colour(scene: Scene, **options):
    image = drawn(scene, "signed", **options)
    return {i for i in range(4) if np.ptp(quarter(image, i), axis=1).max() > 3}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {0, 1, 2}),
        ({"top_k": 1}, {0}),  # Of equals, the lower number.
        ({"top_k": 4}, {0, 1, 2}),  # A segment without attribution is never shown.
        ({"coverage": 0.01}, {0}),  # One at least.
        ({"coverage": 0.25}, {0}),
        ({"coverage": 0.26}, {0, 1}),
        ({"coverage": 0.99}, {0, 1, 2}),
        ({"top_k": 2, "positive_only": True}, {0, 2}),
    ],
)
def test_the_strongest_segments_are_chosen(options, expected):
    assert segments_in_colour(quarters(), **options) == expected


def test_a_segment_of_the_padding_takes_no_place_among_the_shown():
    scene = with_attributions(quarters(), 0.4, -0.4, 0.1, 0.0, 9.9)
    assert segments_in_colour(scene, top_k=1) == {0}
