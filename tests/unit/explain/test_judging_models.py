"""What is said of models whose answers cannot be read, or not as they seem."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.explain.pictures import scoring
from tests.unit.explain.requests import IMAGE, PREDICT, brightness, explained, options
from worker.explain.class_caveats import LOW_FIDELITY
from worker.explain.errors import NotProbabilities
from worker.explain.explanation import Explanation
from worker.explain.result_warning import ResultWarning
from worker.explain.scoring import kind_of

LEFT = np.zeros(IMAGE.shape[:2], dtype=bool)
LEFT[:, :30] = True
STILL = "score-unchanged"


def answered(predict, *, batch_size: int = 16, **values) -> Explanation:
    chosen = options(**{"baseline": "black", "samples": 200, **values})
    return explained(chosen, score=scoring(predict), batch_size=batch_size)


def told(predict, code: str, **values):
    """The warning of that code, or None."""
    return next((one for one in answered(predict, **values).warnings if one.code == code), None)


def two(score: np.ndarray) -> np.ndarray:
    return np.column_stack([score, 1.0 - score])


def left(images: np.ndarray) -> np.ndarray:
    """From 0 with everything black to about 1 for the image."""
    return brightness(LEFT)(images)[:, 0] / brightness(LEFT)(IMAGE[np.newaxis])[0, 0]


# --- the batch, and chance ------------------------------------------------------------------------


def softmax_over_the_batch(images):
    exponentials = np.exp(8 * left(images))
    return two(exponentials / exponentials.sum())


def normalised_over_the_batch(images):
    score = left(images)
    return two(1 / (1 + np.exp(-(score - score.mean()) / (score.std() + 1e-3))))


def first_image_for_all(images):
    return two(np.repeat(left(images[:1]), len(images)))


@pytest.mark.parametrize(
    "predict", [softmax_over_the_batch, normalised_over_the_batch, first_image_for_all]
)
def test_scores_that_depend_on_the_batch_are_told(predict):
    answer = answered(predict)
    (warning,) = (one for one in answer.warnings if one.code == "output-depends-on-batch")
    assert (warning.severity, warning.class_index) == ("critical", None)
    assert "max_batch_size = 1" in warning.cure
    assert answer.trust[0].level == "none"
    # The untouched image alone, twice behind the hidden one, and, as these differ, alone again.
    assert answer.images_scored == answer.samples_used + 5


def neighbour_leaks_in(images):
    score = left(images)
    return two(0.9 * score + 0.1 * np.roll(score, 1))


def in_reverse_order(images):
    return two(left(images)[::-1])


def share_of_the_batch_from_one_end(images):
    return two(np.cumsum(left(images)) / len(images))


@pytest.mark.parametrize(
    "predict", [neighbour_leaks_in, in_reverse_order, share_of_the_batch_from_one_end]
)
def test_scores_that_depend_on_the_place_in_the_batch_are_not_called_chance(predict):
    answer = answered(predict)
    codes = {one.code: one.severity for one in answer.warnings}
    assert codes["output-depends-on-batch"] == "critical"
    assert "output-not-repeatable" not in codes
    assert answer.images_scored == answer.samples_used + 8


def test_in_batches_of_one_nothing_depends_on_the_batch():
    answer = answered(softmax_over_the_batch, batch_size=1)
    assert {one.code for one in answer.warnings} & {
        "output-depends-on-batch", "output-not-repeatable",
    } == set()  # fmt: skip


@pytest.mark.parametrize("batch_size", [1, 16])
@pytest.mark.parametrize("seed", range(3))
def test_scores_that_differ_each_time_are_told_as_that(batch_size, seed):
    rng = np.random.default_rng(seed)

    def noisy(images):  # Often the same 1 by being cut off.
        return two((left(images) + 0.2 * rng.normal(size=len(images))).clip(0, 1))

    answer = answered(noisy, batch_size=batch_size)
    codes = {one.code: one.severity for one in answer.warnings}
    assert codes["output-not-repeatable"] == "warning"
    assert "output-depends-on-batch" not in codes


def test_rounding_that_depends_on_the_batch_is_not_told():
    def rounded(images):
        return two(left(images) * (1 + 4e-3 * (len(images) > 1)))  # A step of bfloat16.

    assert told(rounded, "output-depends-on-batch") is None


# --- the baseline ---------------------------------------------------------------------------------


def test_a_baseline_that_takes_nothing_of_the_class_away_is_critical():
    warning = told(lambda images: two(0.899 + 0.003 * left(images)), "hidden-score-high")
    assert (warning.severity, warning.class_index) == ("critical", 0)
    assert "0.899" in warning.text
    assert "0.902" in warning.text
    assert "baseline" in warning.cure


@pytest.mark.parametrize("baseline", ["black", "blur", "grey", "image-mean", "segment-mean"])
def test_the_cure_names_no_baseline_that_was_tried(baseline):
    def unmoved(images):
        return two(0.9 + 1e-3 * images.mean(axis=(1, 2, 3)) / 255)

    (warning,) = (
        one
        for one in answered(unmoved, baseline=baseline).warnings
        if one.code == "hidden-score-high"
    )
    assert f"'{baseline}'" not in warning.cure
    assert "'grey'" in warning.cure or "'black'" in warning.cure


@pytest.mark.parametrize(
    ("hidden", "severity"),
    [(0.6, None), (0.8, "warning"), (0.94, "critical"), (0.96, "critical")],
)
def test_of_two_classes_the_way_from_even_odds_counts(hidden, severity):
    warning = told(lambda images: two(hidden + (0.95 - hidden) * left(images)), "hidden-score-high")
    assert (warning and warning.severity) == severity


@pytest.mark.parametrize("scale", ["probability", "logit"])
@pytest.mark.parametrize("hidden", [0.6, 0.8, 0.899, 0.94])
def test_two_classes_with_opposite_attributions_are_judged_alike(hidden, scale):
    answer = explained(
        options(baseline="black", samples=200, score_scale=scale),
        score=scoring(lambda images: two(hidden + (0.902 - hidden) * left(images))),
        classes=[0, 1],
    )
    one, other = (
        [(w.code, w.severity) for w in answer.warnings if w.class_index == index]
        for index in (0, 1)
    )
    assert one == other
    assert answer.trust[0].level == answer.trust[1].level


def test_of_the_lower_of_two_classes_the_other_is_told_to_be_still_there():
    warning = told(lambda images: two(0.101 - 0.003 * left(images)), "hidden-score-high")
    assert warning.severity == "critical"
    assert "other class" in warning.text
    assert "0.098" in warning.text


def test_a_baseline_that_has_more_of_the_class_than_the_image_is_told_as_that():
    warning = told(lambda images: two(0.95 - 0.25 * left(images)), "hidden-score-high")
    assert warning.severity == "warning"
    assert "looks like the class" in warning.text


def test_log_odds_are_held_against_log_odds():
    def sure(images):  # From 0.97 to 0.999999.
        return two(1 / (1 + np.exp(-(3.5 + 10.3 * left(images)))))

    assert told(sure, "hidden-score-high").severity == "critical"
    assert told(sure, "hidden-score-high", score_scale="logit") is None


@pytest.mark.parametrize(("hidden", "severity"), [(0.02, None), (0.068, "warning")])
def test_of_many_classes_a_low_score_is_no_class_unless_it_is_all_there_is(hidden, severity):
    def many(images):
        score = hidden + (0.07 - hidden) * left(images)
        return np.column_stack([score, *[(1 - score) / 99] * 99])

    warning = told(many, "hidden-score-high")
    assert (warning and warning.severity) == severity


# --- models that never change their answer --------------------------------------------------------


@pytest.mark.parametrize("level", [0.3, 0.7, 1.0])
@pytest.mark.parametrize("rounding", [0.0, 6e-8])
def test_a_score_that_never_moves_is_not_called_settled(level, rounding):
    rng = np.random.default_rng(0)
    answer = answered(
        lambda images: two(level * (1 + rounding * rng.integers(0, 3, len(images)))), samples=1000
    )
    (one,) = answer.classes
    assert (one.settled, one.certified) == (None, None)
    assert answer.stopped_by == "unchanged"
    assert answer.samples_used < 100
    assert [(w.code, w.severity) for w in answer.warnings] == [(STILL, "critical")]
    assert answer.trust[0].level == "none"
    assert answer.trust[0].reasons == ()


def test_a_class_that_never_moves_holds_up_no_other():
    def predict(images):
        score = 0.5 * left(images)
        return np.column_stack([score, np.full(len(images), 0.3), 0.7 - score])

    answer = explained(
        options(baseline="black", samples=1000), score=scoring(predict), classes=[0, 1]
    )
    assert answer.stopped_by == "settled"
    assert [one.settled for one in answer.classes] == [True, None]
    assert [one.level for one in answer.trust] == ["good", "none"]


def test_a_baseline_like_the_image_is_told_as_that():
    image = np.zeros_like(IMAGE)
    answer = explained(options(baseline="black"), image=image, score=scoring(PREDICT))
    (warning,) = answer.warnings
    assert warning.code == STILL
    assert "same as the image" in warning.text


def test_a_model_that_is_sure_whatever_is_hidden_is_to_be_explained_by_log_odds():
    def sure(images):
        return two(1.0 - 1e-8 * (1 + left(images)))

    assert "logit" in told(sure, STILL).cure


@pytest.mark.parametrize("level", [1.0, 1.0 - 6e-8])
def test_log_odds_are_no_cure_where_they_do_not_move_either(level):
    def sure(images):
        return two(np.full(len(images), level))

    assert "'logit'" not in told(sure, STILL).cure
    answer = answered(sure, score_scale="logit")
    assert [one.code for one in answer.warnings] == [STILL, "log-odds-clipped"]
    assert "sure of the class" in answer.warnings[0].text


# --- why the surrogate does not follow ------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "reason", "cure"),
    [
        (
            {"surrogate": {"method": "lasso", "alpha": 0.05}},
            "penalty of surrogate 'lasso'",
            "alpha",
        ),
        ({"surrogate": {"method": "ridge", "alpha": 1e4}}, "penalty of surrogate 'ridge'", "alpha"),
        (
            {"feature_selection": "lime-auto", "num_features": 1},
            "feature selection",
            "num_features",
        ),
    ],
)
def test_low_fidelity_that_is_due_to_the_surrogate_is_told_as_that(values, reason, cure):
    warning = told(brightness(np.ones_like(LEFT)), "low-fidelity", **values,
                   stopping="fixed")  # fmt: skip
    assert reason in warning.text
    assert "together" not in warning.text
    assert cure in warning.cure


def together(images):
    shown = np.stack([images[:, :16, :15], images[:, :16, 15:30]]).any(axis=(2, 3, 4))
    return two(np.where(shown[0] == shown[1], 0.1, 0.9))


@pytest.mark.parametrize("surrogate", ["ridge", "lasso", "ols"])
def test_low_fidelity_that_no_surrogate_mends_is_told_as_regions_that_act_together(surrogate):
    warning = told(together, "low-fidelity", surrogate=surrogate, stopping="fixed")
    assert "act together" in warning.text


# --- what scores are ------------------------------------------------------------------------------


def logits(images):
    score = left(images)
    return np.column_stack([6 * score - 2, 1 - 4 * score, np.zeros(len(images))])


def sigmoids(images):
    score = left(images)
    return np.column_stack([0.9 * score, 0.8 * score, 0.1 + 0 * score])


@pytest.mark.parametrize(
    ("predict", "asked", "kind", "scale"),
    [
        (PREDICT, "probability", "probability", "probability"),
        (PREDICT, "logit", "probability", "logit"),
        (sigmoids, "probability", "score", "score"),
        (sigmoids, "logit", "score", "logit"),
        (logits, "probability", "score", "score"),
    ],
)
def test_scores_are_called_what_they_are(predict, asked, kind, scale):
    answer = answered(predict, score_scale=asked)
    assert (answer.score_kind, answer.score_scale) == (kind, scale)


def test_probabilities_of_float16_are_probabilities():
    rounded = PREDICT(IMAGE[np.newaxis]).astype(np.float16).astype(np.float64)
    assert kind_of(rounded) == "probability"
    assert kind_of(rounded + np.array([[1e-5, 0, 0, 0]])) == "probability"


def test_scores_beyond_0_and_1_are_told_with_what_to_set():
    warning = told(logits, "score-unbounded")
    assert warning.severity == "info"
    assert "activation = 'softmax'" in warning.cure
    assert told(sigmoids, "score-unbounded") is None
    assert answered(logits, stopping="fixed").trust[0].level == "good"


def test_log_odds_of_logits_are_refused_with_what_to_set_before_samples_are_scored():
    counted = []

    def counting(images):
        counted.append(len(images))
        return logits(images)

    with pytest.raises(NotProbabilities, match="activation = 'softmax'"):
        answered(counting, score_scale="logit")
    assert counted == [1]


def test_log_odds_that_are_cut_off_are_told():
    def step(images):
        return two((left(images) > 0.5).astype(float))

    warning = told(step, "log-odds-clipped", score_scale="logit")
    assert "100%" in warning.text
    assert "untouched" in warning.text
    assert "±15.9" in warning.text
    assert told(step, "log-odds-clipped") is None
    assert told(PREDICT, "log-odds-clipped", score_scale="logit") is None


def test_only_the_images_whose_log_odds_are_cut_off_are_told():
    def only_whole(images):
        return two(np.where((images == IMAGE).all(axis=(1, 2, 3)), 1.0, 0.2 + 0.6 * left(images)))

    text = told(only_whole, "log-odds-clipped", score_scale="logit").text
    assert "gave the untouched image a score" in text
    assert "%" not in text


# --- the sum --------------------------------------------------------------------------------------


def test_a_surrogate_that_misses_the_score_is_told_in_the_units_of_the_scores():
    def all_or_nothing(images):
        return two(np.where((images[:, LEFT].mean(axis=(1, 2)) > 100), 0.95, 0.05))

    def high_logit(images):
        return 100 * all_or_nothing(images)

    for predict in (all_or_nothing, high_logit):
        warning = told(predict, "surrogate-misses-score", baseline="black")
        assert "the model" in warning.text
    assert told(logits, "surrogate-misses-score", surrogate="ols") is None


# --- trust ----------------------------------------------------------------------------------------


def test_trust_is_good_where_nothing_speaks_against_it():
    (trust,) = answered(brightness(LEFT)).trust
    assert trust.level == "good"
    assert [one.title for one in trust.reasons] == [
        "Follows the model closely", "The top segments are settled",
    ]  # fmt: skip


def test_trust_is_fair_where_a_sum_predicts_some_of_the_score():
    (one,) = (answer := answered(PREDICT, samples=1000)).classes
    assert one.press_r2 >= LOW_FIDELITY
    assert answer.trust[0].level in ("good", "fair")
    (unknown,) = answered(brightness(LEFT), sampler="random-rate", stopping="fixed",
                          surrogate={"method": "lasso", "alpha": 1e-4}).trust  # fmt: skip
    assert unknown.level == "fair"
    assert [reason.level for reason in unknown.reasons] == ["unknown", "unknown"]


def test_what_is_known_before_counts_too():
    known = ResultWarning(code="labels-vanished", severity="warning", text="Two are gone.")
    answer = explained(options(), score=scoring(brightness(LEFT)), warnings=[known])
    assert answer.warnings == (known,)
    assert answer.trust[0].level == "poor"


def test_a_warning_makes_trust_poor_and_takes_the_place_of_its_reason():
    def one_of_three(images):
        return np.column_stack([together(images), np.zeros(len(images))])

    (trust,) = answered(one_of_three, samples=400).trust
    assert trust.level == "poor"
    assert "Follows" not in " ".join(reason.title for reason in trust.reasons)
