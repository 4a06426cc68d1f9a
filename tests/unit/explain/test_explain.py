from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tests.unit.explain.pictures import Counting, classifier, frozen, mosaic, scoring
from worker.explain.errors import BadSegments, NotProbabilities, UnknownClass, WrongScores
from worker.explain.explain import explain
from worker.explain.options import ExplanationOptions, TopClasses
from worker.explain.presets import PRESETS, resolve

IMAGE = mosaic(48, 60, tiles=6)
PREDICT = classifier(IMAGE.shape)
GRID = {"method": "grid", "rows": 3, "columns": 4}


def options(**values) -> ExplanationOptions:
    return ExplanationOptions.model_validate({"segmentation": GRID, "samples": 64, **values})


def explained(chosen: ExplanationOptions, **others):
    arguments = {
        "image": IMAGE,
        "classes": [0],
        "score": scoring(PREDICT),
        "batch_size": 16,
        **others,
    }
    return explain(arguments.pop("image"), options=chosen, **arguments)


def brightness(where: np.ndarray):
    """A model of two classes: the mean brightness of some pixels, and the rest."""

    def predict(images: np.ndarray) -> np.ndarray:
        share = images[:, where].mean(axis=(1, 2)) / 255.0
        return np.column_stack([share, 1.0 - share])

    return predict


def same(one, other) -> None:
    assert one.segments_sha256 == other.segments_sha256
    assert one.predictions == other.predictions
    assert one.samples_used == other.samples_used
    for first, second in zip(one.classes, other.classes, strict=True):
        assert vars(first).keys() == vars(second).keys()
        for name, value in vars(first).items():
            np.testing.assert_array_equal(value, vars(second)[name])


# --- the answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "size", [(48, 48, 3), (40, 96, 3), (96, 40, 1)], ids=["square", "wide", "grey-tall"]
)
def test_every_preset_explains_images_of_any_form_and_leaves_them_alone(preset, size):
    image = mosaic(*size[:2], channels=size[2], tiles=6)
    answer = explained(
        resolve(preset, {"samples": 60}),
        image=image,
        score=scoring(classifier(size, classes=3)),
        classes=TopClasses(top=2),
    )
    segments = answer.segments.max() + 1
    assert answer.segments.shape == size[:2]
    assert answer.samples_used <= answer.samples_limit == 60
    assert [one.class_index for one in answer.classes] == [
        one.class_index for one in answer.predictions[:2]
    ]
    for one in answer.classes:
        assert one.attributions.shape == (segments,)
        assert np.isfinite(one.attributions).all()
        assert one.attributions.any()
        assert one.surrogate_score == pytest.approx(one.intercept + one.attributions.sum())


@pytest.mark.parametrize("preset", PRESETS)
def test_the_segments_that_the_model_looks_at_come_first(preset):
    # Two bright tiles on a dark image; the first class is how bright the left of them is.
    image = np.full((64, 64, 3), 30, dtype=np.uint8)
    image[8:24, 8:24], image[40:56, 40:56] = 220, 225
    image += np.random.default_rng(0).integers(0, 8, image.shape, dtype=np.uint8)
    left = np.zeros((64, 64), dtype=bool)
    left[8:24, 8:24] = True
    chosen = resolve(preset, {"baseline": "black", "samples": 400})
    answer = explained(chosen, image=frozen(image), score=scoring(brightness(left)))
    (one,) = answer.classes
    strongest = answer.segments == one.attributions.argmax()
    assert (strongest & left).sum() > 0.5 * min(strongest.sum(), left.sum())


def test_several_classes_come_from_one_set_of_model_calls_and_are_as_each_alone():
    counting = Counting(PREDICT)
    together = explained(options(), classes=[3, 0, 2], score=scoring(counting))
    assert counting.images == together.images_scored
    assert [one.class_index for one in together.classes] == [3, 0, 2]

    alone = explained(options(stop_when_settled=False), classes=[0])
    all_of_them = explained(options(stop_when_settled=False), classes=[3, 0, 2])
    assert alone.images_scored == all_of_them.images_scored == 66
    np.testing.assert_allclose(
        alone.classes[0].attributions, all_of_them.classes[1].attributions, rtol=0, atol=1e-14
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_the_same_request_gives_the_same_bits_whatever_the_batch_size(preset):
    chosen = resolve(preset, {"samples": 60, "seed": 4})
    image = mosaic(48, 48, tiles=6)
    score = scoring(classifier(image.shape))
    one, other = (
        explained(chosen, image=image, score=score, batch_size=size, classes=[1, 0])
        for size in (7, 64)
    )
    same(one, other)


@pytest.mark.parametrize(("classes", "predictions"), [(2, 2), (5, 5), (1000, 5)])
def test_models_of_any_number_of_classes_are_explained(classes, predictions):
    answer = explained(
        options(),
        score=scoring(classifier(IMAGE.shape, classes=classes)),
        classes=TopClasses(top=3),
    )
    assert len(answer.predictions) == predictions
    assert len(answer.classes) == min(3, classes)
    scores = [one.score for one in answer.predictions]
    assert scores == sorted(scores, reverse=True)


def test_scores_of_the_whole_and_of_the_hidden_image_are_told_and_not_fitted():
    answer = explained(options(baseline="black"), classes=[1])
    whole, hidden = PREDICT(np.stack([IMAGE, np.zeros_like(IMAGE)]))
    (one,) = answer.classes
    assert (one.score, one.hidden_score) == (whole[1], hidden[1])
    assert answer.images_scored == answer.samples_used + 2


def test_the_figures_of_the_default_preset_are_all_there():
    (one,) = explained(options(insertion_deletion=True)).classes
    assert one.press_r2 < one.r2 <= 1
    assert one.standard_errors.shape == one.sign_confidence.shape == (12,)
    assert (one.sign_confidence >= 0.5).all()
    assert isinstance(one.settled, bool)
    assert isinstance(one.certified, bool)
    assert 0 <= one.jaccard_at_5 <= 1
    areas = one.insertion_deletion
    assert areas["deletion_auc"] < areas["random_auc"] < areas["insertion_auc"]


def test_insertion_and_deletion_are_counted_among_the_images():
    plain = explained(options(), classes=[0, 1])
    more = explained(options(insertion_deletion=True), classes=[0, 1])
    assert plain.classes[0].insertion_deletion is None
    assert more.images_scored - plain.images_scored == 2 * 2 * 11 + 3 * 11


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
    assert any("not settled after 100 samples" in warning for warning in answer.warnings)


def test_all_explained_classes_have_to_be_settled():
    rng = np.random.default_rng(0)

    def predict(images):
        return np.column_stack([images.mean(axis=(1, 2, 3)) / 255, rng.random(len(images))])

    easy = explained(options(samples=200), score=scoring(predict), classes=[0])
    both = explained(options(samples=200), score=scoring(predict), classes=[0, 1])
    assert easy.samples_used < both.samples_used == 200
    assert [one.settled for one in both.classes] == [True, False]


def test_without_stopping_all_samples_are_scored_in_full_batches():
    counting = Counting(PREDICT)
    explained(options(stop_when_settled=False, samples=128), score=scoring(counting))
    assert counting.batches == 1 + 8


def test_a_score_that_does_not_move_is_said_to():
    answer = explained(options(), score=scoring(lambda images: np.full((len(images), 2), 0.5)))
    (one,) = answer.classes
    assert not one.attributions.any()
    assert (one.r2, one.press_r2) == (0.0, None)
    assert any("did not change the score of class 0" in warning for warning in answer.warnings)


def test_few_samples_for_many_segments_are_said_to_be():
    answer = explained(options(samples=20))
    assert any("fewer than two for each" in warning for warning in answer.warnings)


# --- score scale ----------------------------------------------------------------------------------


def test_the_logit_scale_explains_log_odds():
    effects = np.linspace(-1.5, 2.0, 12)

    def predict(images):  # Log-odds that are additive over the grid.
        cells = images.reshape(len(images), 3, 16, 4, 15, 3).any(axis=(2, 4, 5)).reshape(-1, 12)
        probability = 1 / (1 + np.exp(-(cells @ effects - 1)))
        return np.column_stack([probability, 1 - probability])

    chosen = options(
        score_scale="logit", baseline="black", surrogate="ols", stop_when_settled=False
    )
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


# --- classes, maps, ports -------------------------------------------------------------------------


@pytest.mark.parametrize("index", [-1, 4])
def test_an_unknown_class_is_refused_before_samples_are_scored(index):
    counting = Counting(PREDICT)
    with pytest.raises(UnknownClass, match="0 to 3"):
        explained(options(), classes=[0, index], score=scoring(counting))
    assert counting.images == 2


def test_a_class_named_twice_is_explained_once():
    assert len(explained(options(), classes=[2, 2]).classes) == 1


def test_a_custom_map_decides_the_segments():
    labels = frozen(np.repeat(np.arange(6), 480).reshape(48, 60))
    answer = explained(options(segmentation="custom"), custom_segments=labels)
    np.testing.assert_array_equal(answer.segments, labels)
    with pytest.raises(BadSegments):
        explained(options(segmentation="custom"))


def test_progress_tells_every_stage_and_batch():
    told = []
    answer = explained(options(samples=64), on_progress=lambda *step: told.append(step))
    assert told[0] == ("segmenting", 0, 64)
    assert told[-1] == ("fitting", answer.samples_used, 64)
    done = [count for stage, count, _ in told if stage == "sampling"]
    assert done == list(range(16, answer.samples_used + 1, 16))


def test_what_progress_raises_passes_through_and_closes_the_predictor():
    closed = []

    def score(batches):
        try:
            yield from map(PREDICT, batches)
        finally:
            closed.append(True)

    def cancel(stage, done, limit):
        if stage == "sampling":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        explained(options(), score=score, on_progress=cancel)
    assert closed == [True, True]
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "answer",
    [lambda images: PREDICT(images)[1:], lambda images: PREDICT(images[[0, *range(len(images))]])],
)
def test_scores_that_do_not_match_the_images_are_refused(answer):
    with pytest.raises(WrongScores, match="rows of scores"):
        explained(options(), score=scoring(answer))


def test_memory_does_not_grow_with_the_number_of_samples():
    image = mosaic(96, 96)
    predict = brightness(np.eye(96, dtype=bool))

    def peak(samples: int) -> int:
        tracemalloc.start()
        explained(
            options(samples=samples, stop_when_settled=False),
            image=image,
            score=scoring(predict),
        )
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    few, many = peak(100), peak(1000)
    # 900 more images are 25 MB; samples, scores and the fit are under 1 kB each.
    assert many - few < 900 * 1024
