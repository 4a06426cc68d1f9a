"""Figures in words."""

from __future__ import annotations

import pytest

from web.site import words
from web.site.bars import chart


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0831, "+0.083"),
        (-0.0831, "−0.083"),
        (0.0, "0.000"),
        (-0.00002, "−2.0e-5"),
        (40.367, "+40.367"),
        (9.017e29, "+9.0e29"),
        (-2.5e6, "−2.5e6"),
    ],
)
def test_attributions_keep_their_sign_and_do_not_vanish(value, text):
    assert words.signed(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.31, "0.3 s"), (42.4, "42 s"), (60, "1 minute"), (5400, "2 hours"), (200_000, "2 days")],
)
def test_lengths_of_time_have_one_unit(seconds, text):
    assert words.duration(seconds) == text


def test_bars_and_their_errors_share_one_scale_on_which_nothing_is_cut_off():
    segments = [
        {"segment": 4, "attribution": 0.3, "standard_error": 0.05, "area": 0.1},
        {"segment": 2, "attribution": -0.1, "standard_error": 0.0, "area": 0.2},
        {"segment": 7, "attribution": 0.05, "standard_error": None, "area": 0.2},
    ]
    drawn = chart(segments)
    span = 0.3 + 1.96 * 0.05 + 0.1
    assert float(drawn.zero.rstrip("%")) == pytest.approx(100 * 0.1 / span, abs=0.01)
    first, second, third = drawn.bars
    assert (first.rank, first.value, first.error) == (1, "+0.300", "± 0.098")
    assert [bar.said for bar in drawn.bars] == ["speaks for", "speaks against", "speaks for"]
    assert (first.x, first.high) == (drawn.zero, "100.00%")
    assert (second.is_positive, second.x, second.low) == (False, "0.00%", "0.00%")
    assert (third.error, third.low) == ("", None)


def test_a_chart_of_nothing_but_zeros_is_drawn_all_the_same():
    zeros = [{"segment": 0, "attribution": 0.0, "standard_error": 0.0, "area": 1.0}]
    assert chart(zeros).bars[0].width == "0.00%"
    assert chart(zeros).bars[0].said == "has no say"
