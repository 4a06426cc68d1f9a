"""When an explanation stops, and the scale on which it explains."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.explain.pictures import Counting, scoring
from tests.unit.explain.requests import IMAGE, PREDICT, brightness, explained, options
from worker.explain.errors import NotProbabilities


def noisy(size: float):
    """A model of two classes: the brightness of every other column, with noise."""
    where = np.zeros(IMAGE.shape[:2], dtype=bool)
    where[:, ::2] = True
    rng = np.random.default_rng(0)
    calm = brightness(where)

    def predict(images: np.ndarray) -> np.ndarray:
        return calm(images) + size * rng.normal(size=(len(images), 2))

    return predict


# --- stopping -------------------------------------------------------------------------------------


def test_an_additive_model_is_settled_after_two_blocks():
    where = np.zeros(IMAGE.shape[:2], dtype=bool)
    where[:, ::2] = True
    answer = explained(options(samples=1000), score=scoring(brightness(where)))
    assert answer.samples_used == 64  # Two blocks of two orders of 16.
    assert answer.classes[0].settled
    assert answer.warnings == ()


def test_at_the_limit_the_answer_says_that_it_is_not_settled():
    rng = np.random.default_rng(0)
    answer = explained(
        options(samples=100), score=scoring(lambda images: rng.random((len(images), 2)))
    )
    assert answer.samples_used == answer.samples_limit == 100
    assert answer.classes[0].settled is False
    assert "not-settled" in {one.code for one in answer.warnings}


def test_all_explained_classes_have_to_be_settled():
    rng = np.random.default_rng(0)

    def predict(images):
        return np.column_stack([images.mean(axis=(1, 2, 3)) / 255, rng.random(len(images))])

    easy = explained(options(samples=200), score=scoring(predict), classes=[0])
    both = explained(options(samples=200), score=scoring(predict), classes=[0, 1])
    assert easy.samples_used < both.samples_used == 200
    assert [one.settled for one in both.classes] == [True, False]


@pytest.mark.parametrize(
    ("rule", "noise", "stopped_by"),
    [("settled", 0.0, "settled"), ("certified", 0.0, "certified"), ("fixed", 0.0, "limit"),
     ("settled", 1.0, "limit"), ("certified", 1.0, "limit")],
)  # fmt: skip
def test_the_answer_says_why_sampling_stopped(rule, noise, stopped_by):
    answer = explained(options(stopping=rule, samples=150), score=scoring(noisy(noise)))
    assert answer.stopped_by == stopped_by
    assert (answer.samples_used == 150) == (stopped_by == "limit")


def test_certified_takes_more_samples_than_settled_and_never_more_than_the_limit():
    used = [
        explained(
            options(stopping=rule, samples=2000, baseline="black"), score=scoring(noisy(0.01))
        ).samples_used
        for rule in ("settled", "certified", "fixed")
    ]
    assert 64 <= used[0] < used[1] < used[2] == 2000


def test_fixed_scores_all_samples_in_full_batches():
    counting = Counting(PREDICT)
    explained(options(stopping="fixed", samples=128), score=scoring(counting))
    assert counting.batches == 1 + 8 + 1


def test_the_ends_are_scored_whatever_the_rule():
    for rule in ("settled", "certified", "fixed"):
        answer = explained(options(stopping=rule, samples=96))
        assert answer.images_scored == answer.samples_used + 4


# --- score scale ----------------------------------------------------------------------------------


def test_the_logit_scale_explains_log_odds():
    effects = np.linspace(-1.5, 2.0, 12)

    def predict(images):  # Log-odds that are additive over the grid.
        cells = images.reshape(len(images), 3, 16, 4, 15, 3).any(axis=(2, 4, 5)).reshape(-1, 12)
        probability = 1 / (1 + np.exp(-(cells @ effects - 1)))
        return np.column_stack([probability, 1 - probability])

    chosen = options(score_scale="logit", baseline="black", surrogate="ols", stopping="fixed")
    one, other = explained(chosen, score=scoring(predict), classes=[0, 1]).classes
    np.testing.assert_allclose(one.attributions, effects, atol=1e-9)
    np.testing.assert_allclose(other.attributions, -effects, atol=1e-9)
    assert one.intercept == pytest.approx(-1)
    assert 0 <= one.score <= 1  # The model's own score stays what it is.


def test_certain_scores_have_finite_log_odds():
    def predict(images):
        bright = (images.mean(axis=(1, 2, 3)) > 128).astype(float)
        return np.column_stack([bright, 1 - bright])

    (one,) = explained(options(score_scale="logit"), score=scoring(predict)).classes
    assert np.isfinite(one.attributions).all()


def test_log_odds_of_what_is_no_probability_are_refused():
    with pytest.raises(NotProbabilities, match="needs probabilities"):
        explained(options(score_scale="logit"), score=scoring(lambda images: 7.0 * PREDICT(images)))
