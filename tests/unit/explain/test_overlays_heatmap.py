from __future__ import annotations

import dataclasses
import itertools
from typing import get_args

import cmap
import numpy as np
import pytest

from tests.unit.explain.scenes import drawn, quarter, quarters
from worker.explain.options import Picture
from worker.explain.overlays.colour import COLOUR_MAPS, SIGN_COLOURS, Bar, Scale, number, ticks
from worker.explain.overlays.heat import heat_values
from worker.explain.overlays.stage import Stage
from worker.explain.overlays.text import font, width_of


def values_of(scene, *, size=(600, 400), **options):
    return heat_values(Picture(style="heatmap", **options), scene, Stage.of(scene, size))


def grey(pixels):
    return np.full(3, pixels.mean())


@pytest.mark.parametrize(
    ("registry", "field"), [(COLOUR_MAPS, "colormap"), (SIGN_COLOURS, "colours")]
)
def test_every_colour_that_may_be_asked_for_is_there_and_no_other(registry, field):
    assert set(registry) == set(get_args(Picture.model_fields[field].annotation))


@pytest.mark.parametrize("name", ["viridis", "inferno", "cividis", "jet"])
def test_pixels_are_half_photograph_and_half_the_colour_of_their_value(name):
    image = drawn(quarters(), "heatmap", colormap=name)
    hottest = np.array(cmap.Colormap(name)(1.0).rgba[:3]) * 255
    coldest = np.array(cmap.Colormap(name)(0.0).rgba[:3]) * 255
    for index, colour in ((0, hottest), (1, coldest)):
        photograph = 2 * quarter(image, index).mean(axis=0) - colour
        assert np.allclose(photograph, grey(photograph), atol=3)


def test_the_default_map_grows_lighter_in_even_steps():
    table = Scale.over(np.array([0.0, 1.0]), colormap="auto").table / 255
    linear = np.where(table <= 0.04045, table / 12.92, ((table + 0.055) / 1.055) ** 2.4)
    lightness = 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16
    steps = np.diff(lightness[8::8])
    assert steps.min() > 0.5 * steps.mean()
    assert steps.max() < 1.5 * steps.mean()


def test_a_scale_always_holds_zero():
    assert Scale.over(np.array([0.2, 0.5]), colormap="auto").low == 0
    assert Scale.over(np.array([-0.2, -0.5]), colormap="auto").high == 0


def test_positive_only_makes_everything_against_as_cold_as_zero():
    image = drawn(quarters(), "heatmap", positive_only=True)
    assert np.allclose(quarter(image, 1).mean(axis=0), quarter(image, 3).mean(axis=0), atol=2)
    assert values_of(quarters(), positive_only=True).min() == 0


def test_a_colour_bar_with_numbers_stands_beside_the_photograph():
    image = drawn(quarters(), "heatmap")
    assert image.shape[0] == 400
    bar = image[:, 600:]
    assert bar.shape[1] > 40
    assert np.all(bar[0] == 255)
    table = np.round(np.asarray(cmap.Colormap("viridis").lut(256))[:, :3] * 255)
    strip = bar[20:-20, 16]
    assert np.abs(strip[0] - table[-1]).max() < 30  # High above,
    assert np.abs(strip[-1] - table[0]).max() < 30  # low below.
    assert (bar[:, 30:] < 90).all(axis=2).any(axis=1).sum() > 20  # Rows with dark numbers.


def test_a_flat_picture_has_its_bar_below():
    image = drawn(quarters(60, 900), "heatmap")
    assert image.shape[1] == 900
    assert image.shape[0] > 60 + 30
    assert np.all(image[-1] == 255)


def test_photograph_and_bar_together_keep_to_the_longest_side():
    image = drawn(quarters(800, 1200), "heatmap", max_side=700)
    assert image.shape[1] <= 700
    assert image.shape[1] > 690


def test_a_thumbnail_has_no_bar():
    assert drawn(quarters(), "heatmap", max_side=90).shape == (60, 90, 3)


def test_without_any_attribution_the_picture_says_so():
    flat = dataclasses.replace(quarters(), attributions=np.zeros(4))
    assert (drawn(flat, "heatmap")[-40:, :600] > 200).all(axis=2).any()


# --- smoothing ------------------------------------------------------------------------------------


def test_without_smoothing_a_pixel_has_the_attribution_of_its_segment():
    scene = quarters()
    assert np.array_equal(values_of(scene), scene.attributions[scene.segments])


def test_smoothing_leaves_no_step_and_keeps_the_values_far_from_borders():
    smooth = values_of(quarters(), smoothing=8.0)
    assert np.abs(np.diff(smooth, axis=1)).max() < 0.06
    assert smooth[40, 40] == pytest.approx(0.4, abs=1e-3)
    assert smooth[40, 299:301].mean() == pytest.approx(0.0, abs=0.02)


def test_the_width_of_smoothing_is_told_in_pixels_of_the_models_input():
    """Across a straight border the smooth map is the normal distribution's integral."""
    scene = dataclasses.replace(quarters(), input_pixel=(2.0, 3.0))
    row = values_of(scene, smoothing=8.0)[40] / 0.4
    one_sigma = 24  # Upload pixels: 8 pixels of the input, each 3 wide.
    assert row[300 - one_sigma] == pytest.approx(0.683, abs=0.03)
    assert row[300 + one_sigma] == pytest.approx(-0.683, abs=0.03)


def test_smoothing_is_the_same_at_every_size_of_the_picture():
    scene = dataclasses.replace(quarters(), input_pixel=(4.0, 4.0))
    small, large = (values_of(scene, size=size, smoothing=5.0) for size in ((300, 200), (600, 400)))
    assert np.allclose(small, large[1::2, 1::2], atol=0.02)


def test_what_is_not_seen_takes_no_heat_away_from_what_is():
    scene = quarters()
    segments = np.where(np.arange(600) < 300, scene.segments, -1).astype(np.int32)
    smooth = values_of(dataclasses.replace(scene, segments=segments), smoothing=8.0)
    assert smooth[40, 298] == pytest.approx(0.4, abs=1e-3)
    assert not smooth[:, 300:].any()


# --- numbers of the bar ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high"), [(-0.02, 0.1), (0, 1), (-3, 0), (0, 7.3e-6), (-1e5, 2e6), (-0.5, 0.5)]
)
@pytest.mark.parametrize("most", [1, 3, 8])
def test_ticks_are_round_even_within_the_scale_and_include_zero(low, high, most):
    found = ticks(Scale(low=low, high=high, table=np.zeros((256, 3), np.uint8)), most=most)
    assert 0.0 in found
    assert len(found) <= max(most, 2)
    assert min(found) >= low - 1e-12
    assert max(found) <= high + 1e-9
    assert np.allclose(np.diff(found), np.diff(found)[:1])


def test_an_empty_scale_has_zero_alone():
    assert ticks(Scale(low=0.0, high=0.0, table=np.zeros((256, 3), np.uint8)), most=5) == (0.0,)


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [
        (0.0, 0.1, "0"),
        (0.1, 0.1, "+0.1"),
        (-0.05, 0.05, "-0.05"),
        (0.0005, 0.0005, "+0.0005"),
        (2.0, 1.0, "+2"),
        (30.0, 10.0, "+30"),
        (2e-6, 1e-6, "+2.0e-06"),
        (2e6, 1e6, "+2.0e+06"),
    ],
)
def test_numbers_have_the_digits_that_tell_neighbours_apart(value, step, text):
    assert number(value, step) == text


@pytest.mark.parametrize(("low", "high"), [(-0.037, 0.073), (-0.11, 0.18), (0, 0.93), (-1e-6, 0)])
@pytest.mark.parametrize("upright", [False, True])
def test_a_bar_has_three_numbers_or_more_that_do_not_touch(low, high, upright):
    bar, extent = Bar.of_text(16, upright=upright), 418
    scale = Scale(low=low, high=high, table=np.zeros((256, 3), np.uint8))
    numbers = bar.numbers(scale, extent=extent)
    assert len(numbers) >= 3
    for (below, first), (above, second) in itertools.pairwise(numbers):
        apart = extent * (above - below) / (high - low)
        taken = 16 if upright else (width_of(first, font(16)) + width_of(second, font(16))) / 2
        assert apart >= taken + 16


@pytest.mark.parametrize("size", [(600, 400), (60, 900), (900, 60)])
def test_a_bar_is_as_long_as_its_picture(size):
    bar = Bar.beside(size)
    scale = Scale.over(np.array([-1.0, 2.0]), colormap="auto")
    length = size[1] if bar.upright else size[0]
    panel = bar.draw(scale, length=length, unit="attribution (logit)")
    assert panel.size == ((bar.across, length) if bar.upright else (length, bar.across))
