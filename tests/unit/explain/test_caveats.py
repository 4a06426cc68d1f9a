"""What an answer says against itself, as data, with what to change."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.explain.pictures import scoring
from tests.unit.explain.requests import IMAGE, PREDICT, brightness, explained, options
from worker.explain.result_warning import ResultWarning

LEFT = np.zeros(IMAGE.shape[:2], dtype=bool)
LEFT[:, :30] = True


def constant(images: np.ndarray) -> np.ndarray:
    return np.full((len(images), 2), 0.5)


def together(images: np.ndarray) -> np.ndarray:
    """High where one of two cells is hidden and not the other: nothing that adds up."""
    shown = np.stack([images[:, :16, :15], images[:, :16, 15:30]]).any(axis=(2, 3, 4))
    score = np.where(shown[0] == shown[1], 0.1, 0.9)
    return np.column_stack([score, 1.0 - score])


def faint(images: np.ndarray) -> np.ndarray:
    return brightness(LEFT)(images) * 1e-3


def warned(code: str, *words: str, **values) -> bool:
    """Whether there is a warning of that code that says all of those words."""
    said = [f"{one.text} {one.cure}" for one in warnings(**values) if one.code == code]
    for text in said:
        assert all(word in text for word in words), text
    return bool(said)


def warnings(
    predict=PREDICT, *, classes=(0,), segments=None, **values
) -> tuple[ResultWarning, ...]:
    return explained(
        options(**values), score=scoring(predict), classes=list(classes), custom_segments=segments
    ).warnings


def test_an_answer_that_can_be_trusted_has_none():
    assert warnings(brightness(LEFT), samples=200) == ()


def test_low_fidelity_is_told_with_the_figure_and_what_to_try():
    assert warned(
        "low-fidelity",
        "PRESS R²",
        "another baseline",
        "logit",
        predict=together,
        baseline="black",
        samples=200,
    )
    found = warnings(together, baseline="black", score_scale="logit", samples=200)
    (log_odds,) = (one for one in found if one.code == "low-fidelity")
    assert "logit" not in log_odds.cure


def test_where_there_is_no_leave_one_out_fidelity_the_other_is_judged():
    assert warned(
        "low-fidelity",
        "(R² ",
        predict=together,
        baseline="black",
        surrogate="lasso",
        stopping="fixed",
        samples=200,
    )


def test_an_answer_that_is_not_settled_is_told_for_its_class():
    rng = np.random.default_rng(0)
    random = lambda images: rng.random((len(images), 2))  # noqa: E731
    found = {one.code: one for one in warnings(random, classes=[1], samples=200)}
    told = found["not-settled"]
    assert (told.severity, told.class_index) == ("warning", 1)
    assert "not settled after 200" in told.text
    assert "Raise samples" in told.cure


def test_settled_is_not_certified():
    rng = np.random.default_rng(2)

    def predict(images: np.ndarray) -> np.ndarray:
        return brightness(LEFT)(images) + 0.04 * rng.normal(size=(len(images), 2))

    assert warned(
        "not-certified", "settled but not certified",
        predict=predict, samples=400, stopping="certified", baseline="black",
    )  # fmt: skip


@pytest.mark.parametrize(("noise", "told"), [(0.1, False), (0.25, True)])
def test_very_many_attributions_that_may_be_chance_are_told_even_if_the_top_is_settled(noise, told):
    rng = np.random.default_rng(1)
    where = np.zeros(IMAGE.shape[:2], dtype=bool)
    where[:4, :5] = True  # One segment of 144.
    grid = {"method": "grid", "rows": 12, "columns": 12}

    def predict(images: np.ndarray) -> np.ndarray:
        return brightness(where)(images) + noise * rng.normal(size=(len(images), 2))

    found = warnings(predict, segmentation=grid, samples=600, baseline="black")
    codes = {one.code for one in found}
    assert "not-settled" not in codes
    assert ("uncertain-attributions" in codes) is told


def test_a_score_near_zero_is_told_unless_it_is_explained_as_log_odds():
    assert warned("score-near-zero", "next to nothing", "logit", predict=faint)
    assert not warned("score-near-zero", predict=faint, score_scale="logit")


def test_a_low_score_that_is_no_probability_is_not_near_zero():
    def raw(images: np.ndarray) -> np.ndarray:
        return np.column_stack([faint(images)[:, 0], np.full(len(images), 7.0)])

    assert not warned("score-near-zero", predict=raw)


@pytest.mark.parametrize(("width", "told"), [(31, True), (30, False)])
def test_a_segment_that_covers_most_of_the_image_is_told(width, told):
    labels = np.tile(np.arange(60) // 5, (48, 1))
    labels[:, :width] = 0
    assert (
        warned("large-segment", "% of the image", "grid", segmentation="custom", segments=labels)
        is told
    )


def test_a_score_that_does_not_move_is_told_and_its_fidelity_is_not_judged():
    (only,) = warnings(constant)
    assert (only.code, only.severity, only.class_index) == ("score-unchanged", "critical", 0)
    assert "baseline" in only.cure


def test_a_surrogate_without_standard_errors_cannot_be_told_settled():
    assert warned("no-standard-errors", "'ridge'", surrogate="lasso", samples=100)


# --- few samples ----------------------------------------------------------------------------------


def test_fewer_samples_than_unknowns_are_told():
    few = "samples-below-unknowns"
    assert warned(few, "13 samples cannot tell 12 segments apart", "24", samples=13)
    assert not warned(few, samples=14)


def test_fewer_than_two_samples_a_segment_are_told():
    assert warned("samples-few", "fewer than two for each", samples=20)
    assert not warned("samples-few", samples=24)


def test_a_limit_too_small_for_two_blocks_settles_nothing_and_says_what_limit_would_do():
    answer = explained(options(samples=32), score=scoring(brightness(LEFT)))
    (only,) = answer.warnings
    assert only.code == "samples-one-block"
    assert "Raise samples to 64" in only.cure
    assert (answer.classes[0].settled, answer.classes[0].certified) == (False, False)
    assert answer.classes[0].standard_errors is not None
    assert answer.stopped_by == "limit"
    assert explained(options(samples=64), score=scoring(brightness(LEFT))).classes[0].settled
