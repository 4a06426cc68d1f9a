from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.unit.explain.scenes import drawn, quarters
from worker.explain.overlays.colour import SIGN_COLOURS
from worker.explain.overlays.sheet import Layout
from worker.explain.overlays.text import drawable, font, shortened, width_of
from worker.explain.result_warning import ResultWarning


def panels(image, size, max_side=1024):
    """The four photographs of a sheet, found by its layout."""
    layout = Layout.fit(size, max_side=max_side)
    left = (image.shape[1] - layout.grid[0]) // 2
    found = []
    for index in range(4):
        x, y = layout.place(index, left=left)
        found.append(image[y : y + layout.panel[1], x : x + layout.panel[0]])
    return found


def test_a_sheet_shows_original_segments_signed_and_heat_map():
    original, segments, signed, heat = panels(drawn(quarters(), "sheet"), (600, 400))
    height, width = original.shape[:2]
    inside = np.s_[20 : height // 2 - 20, 20 : width // 2 - 20]
    warm = quarters().upload.mean(axis=(0, 1))
    assert np.allclose(original[inside].mean(axis=(0, 1)), warm, atol=3)
    assert np.allclose(segments[inside].mean(axis=(0, 1)), warm, atol=3)
    middle = segments[height // 4, width // 2 - 4 : width // 2 + 4]
    assert (middle[:, 0] - middle[:, 2]).max() > 150
    assert signed[inside][..., 1].mean() > signed[inside][..., 0].mean() + 40
    assert heat[inside][..., 2].mean() < heat[inside][..., 0].mean() - 20  # Viridis is yellow.


def test_class_score_and_fidelity_are_written_above():
    def title(**changes):
        image = drawn(dataclasses.replace(quarters(), **changes), "sheet")
        return image[: Layout.fit((600, 400), max_side=1024).header]

    plain = title()
    assert (plain < 90).all(axis=2).any()
    for change in ({"class_name": "espresso"}, {"score": 0.772}, {"r2": 0.5}, {"press_r2": 0.5},
                   {"score_kind": "score"}, {"trust": "none"}):  # fmt: skip
        assert not np.array_equal(title(**change), plain)
    assert not np.array_equal(title(press_r2=None), plain)


@pytest.mark.parametrize("score", [9.02e29, -2.5e6, 3.2e-13])
def test_a_score_of_any_size_leaves_room_for_the_figures_behind_it(score):
    def title(**changes):
        scene = dataclasses.replace(quarters(), **{"score": score, **changes})
        return drawn(scene, "sheet")[: Layout.fit((600, 400), max_side=1024).header]

    assert not np.array_equal(title(trust="good"), title(trust="none"))
    assert not np.array_equal(title(), title(score=1.1 * score))


def warned(severity):
    told = ResultWarning(code="low-fidelity", severity=severity, text="It follows badly.")
    return drawn(dataclasses.replace(quarters(), warnings=(told,)), "sheet")


def test_what_speaks_against_the_answer_is_written_on_the_sheet_in_red():
    def red(image):
        return int(((image[..., 0] > 150) & (image[..., 1:] < 80).all(axis=2)).sum())

    header = Layout.fit((600, 400), max_side=1024, warned=True).header
    plain, info = (red(image[:header]) for image in (drawn(quarters(), "sheet"), warned("info")))
    warning, critical = (red(warned(severity)[:header]) for severity in ("warning", "critical"))
    assert plain == info == 0
    assert 0 < warning < critical  # Which says besides not to read it.
    assert max(warned("critical").shape[:2]) <= 1024


def test_the_heat_map_of_a_sheet_has_a_colour_bar():
    image = drawn(quarters(), "sheet")
    layout = Layout.fit((600, 400), max_side=1024)
    below = image[layout.place(3, left=layout.gap)[1] + layout.panel[1] :, 512:]
    assert len(np.unique(below.reshape(-1, 3), axis=0)) > 150


@pytest.mark.parametrize("size", [(600, 400), (100, 1000)])
def test_the_colours_of_both_signs_are_told_even_above_a_narrow_panel(size):
    image = drawn(quarters(height=size[1], width=size[0]), "sheet")
    layout = Layout.fit(size, max_side=1024)
    x, y = layout.place(2, left=(image.shape[1] - layout.grid[0]) // 2)
    caption = image[y - 2 * layout.text : y, x : x + layout.panel[0]].reshape(-1, 3)
    for colour in SIGN_COLOURS["green-red"]:
        assert (caption == colour).all(axis=1).sum() > 0.9 * layout.text**2


@pytest.mark.parametrize(
    ("size", "columns"), [((600, 400), 2), ((500, 500), 2), ((100, 1000), 4), ((1000, 100), 1)]
)
def test_panels_are_arranged_to_be_large(size, columns):
    assert Layout.fit(size, max_side=1024).columns == columns


@pytest.mark.parametrize("size", [(600, 400), (400, 600), (100, 1000), (1000, 100), (500, 500)])
def test_panels_keep_the_shape_of_the_upload_and_do_not_overlap(size):
    layout = Layout.fit(size, max_side=1024)
    assert layout.panel[0] / layout.panel[1] == pytest.approx(size[0] / size[1], rel=0.05)
    corners = [layout.place(index, left=0) for index in range(4)]
    for i, first in enumerate(corners):
        for second in corners[:i]:
            apart = [abs(a - b) for a, b in zip(first, second, strict=True)]
            assert apart[0] >= layout.panel[0] or apart[1] >= layout.panel[1]


def test_a_small_sheet_is_the_large_one_reduced():
    assert max(drawn(quarters(), "sheet", max_side=200).shape) == 200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Egyptian cat", "Egyptian cat"),
        ("Ägyptische\n Katze", "Agyptische Katze"),
        ("猫 cat", "? cat"),
        ("a\x00b", "a?b"),
    ],
)
def test_text_that_the_font_cannot_draw_is_replaced(text, expected):
    assert drawable(text) == expected


def test_a_name_too_long_ends_in_an_ellipsis_and_fits():
    typeface = font(20)
    short = shortened("a class of a very long name", typeface, width=100)
    assert short.endswith("…")
    assert width_of(short, typeface) <= 100
    assert shortened("cat", typeface, width=100) == "cat"
    assert shortened("cat", typeface, width=3) == ""
