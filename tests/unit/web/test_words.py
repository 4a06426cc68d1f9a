"""Figures in words."""

from __future__ import annotations

import pytest

from web.site import words
from web.site.bars import chart

FIGURES = {
    "score": 0.8,
    "surrogate_score": 0.78,
    "score_scale": "probability",
    "fidelity": {"r2": 0.9, "press_r2": 0.85},
    "settled": True,
}


def told(hidden_score=0.01, **changes):
    found = words.statements({**FIGURES, **changes}, hidden_score=hidden_score)
    return {one.title: one for one in found}


@pytest.mark.parametrize(
    ("press_r2", "level", "title"),
    [
        (0.85, "good", "Follows the model closely"),
        (0.6, "fair", "Follows the model roughly"),
        (0.2, "poor", "Follows the model only loosely"),
        (-0.4, "poor", "Follows the model only loosely"),
        (None, "note", "Fidelity known only in sample"),
    ],
)
def test_fidelity_is_told_by_the_figure_that_does_not_flatter(press_r2, level, title):
    found = told(fidelity={"r2": 0.9, "press_r2": press_r2})
    assert found[title].level == level
    assert "0.90" in found[title].text


def test_fidelity_that_is_poor_even_in_sample_is_told_as_poor():
    assert told(fidelity={"r2": 0.1, "press_r2": None})["Follows the model only loosely"]


@pytest.mark.parametrize(("settled", "level"), [(True, "good"), (False, "poor"), (None, "note")])
def test_it_is_told_whether_the_answer_is_settled(settled, level):
    assert [one.level for one in told(settled=settled).values() if "settled" in one.title] == [
        level
    ]


def test_it_is_told_how_far_all_attributions_are_known():
    for settled in (True, False):
        said = " ".join(one.text for one in told(settled=settled, relative_error=0.137).values())
        assert "14%" in said


def test_a_sum_that_is_far_from_the_score_is_told_where_they_are_in_the_same_units():
    title = "The segments do not add up to the score"
    assert title not in told()
    assert "1.200" in told(surrogate_score=1.2)[title].text
    assert title not in told(surrogate_score=4.2, score_scale="logit")


def test_a_baseline_that_looks_like_the_class_is_told():
    title = "What hides a segment looks like the class itself"
    assert title not in told(hidden_score=0.3)
    assert title not in told(hidden_score=None)
    assert told(hidden_score=0.5)[title].level == "poor"
    assert title not in told(score=0.03, surrogate_score=0.03, hidden_score=0.02)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0831, "+0.083"), (-0.0831, "−0.083"), (0.0, "0.000"), (-0.00002, "−2.0e-5")],
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
    assert (first.x, first.high) == (drawn.zero, "100.00%")
    assert (second.is_positive, second.x, second.low) == (False, "0.00%", "0.00%")
    assert (third.error, third.low) == ("", None)


def test_a_chart_of_nothing_but_zeros_is_drawn_all_the_same():
    zeros = [{"segment": 0, "attribution": 0.0, "standard_error": 0.0, "area": 1.0}]
    assert chart(zeros).bars[0].width == "0.00%"
