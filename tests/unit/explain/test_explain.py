from __future__ import annotations

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from tests.unit.explain.pictures import Counting, classifier, frozen, mosaic, scoring
from tests.unit.explain.requests import IMAGE, PREDICT, brightness, explained, options
from worker.explain.errors import BadSegments, UnknownClass, WrongScores
from worker.explain.options import TopClasses
from worker.explain.presets import PRESETS, resolve


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

    alone = explained(options(stopping="fixed"), classes=[0])
    all_of_them = explained(options(stopping="fixed"), classes=[3, 0, 2])
    assert alone.images_scored == all_of_them.images_scored == 64 + 4
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


def test_the_first_job_of_a_process_gives_the_bits_of_the_second():
    # The first imports scikit-learn, and with it a BLAS with as many threads as there are cores.
    code = (
        "from tests.unit.explain.requests import explained, options\n"
        "grid = {'method': 'grid', 'rows': 12, 'columns': 15}\n"
        "chosen = options(segmentation=grid, samples=400, stopping='fixed',\n"
        "                 surrogate='bayesian-ridge')\n"
        "one, other = (explained(chosen).classes[0].attributions for _ in range(2))\n"
        "print((one == other).all())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


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
    assert answer.images_scored == answer.samples_used + 4


def test_the_figures_of_the_default_preset_are_all_there():
    (one,) = explained(options(insertion_deletion=True)).classes
    assert one.press_r2 < one.r2 <= 1
    assert one.standard_errors.shape == one.sign_confidence.shape == (12,)
    assert (one.sign_confidence >= 0.5).all()
    assert isinstance(one.settled, bool)
    assert isinstance(one.certified, bool)
    assert 0 <= one.jaccard_at_5 <= 1
    assert one.relative_error == pytest.approx(
        np.linalg.norm(one.standard_errors) / np.linalg.norm(one.attributions)
    )
    areas = one.insertion_deletion
    assert areas["deletion_auc"] < areas["random_auc"] < areas["insertion_auc"]


def test_insertion_and_deletion_are_counted_among_the_images():
    plain = explained(options(), classes=[0, 1])
    more = explained(options(insertion_deletion=True), classes=[0, 1])
    assert plain.classes[0].insertion_deletion is None
    assert more.images_scored - plain.images_scored == 2 * 2 * 11 + 3 * 11


# --- classes, maps, ports -------------------------------------------------------------------------


@pytest.mark.parametrize("index", [-1, 4])
def test_an_unknown_class_is_refused_before_samples_are_scored(index):
    counting = Counting(PREDICT)
    with pytest.raises(UnknownClass, match="0 to 3"):
        explained(options(), classes=[0, index], score=scoring(counting))
    assert counting.images == 1


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
            options(samples=samples, stopping="fixed"),
            image=image,
            score=scoring(predict),
        )
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    few, many = peak(100), peak(1000)
    # 900 more images are 25 MB; a sample, its score and its part in the fit are under 8 kB.
    assert many - few < 900 * 8 * 1024
