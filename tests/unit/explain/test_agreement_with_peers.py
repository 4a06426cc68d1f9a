"""The presets give the numbers of the systems that they are named for."""

from __future__ import annotations

import numpy as np
import pytest
from lime.lime_image import LimeImageExplainer
from skimage.segmentation import quickshift, slic
from sklearn.linear_model import LinearRegression
from sklearn.metrics.pairwise import cosine_distances
from threadpoolctl import threadpool_limits
from visualime.explain import explain_classification
from visualime.lime import create_segments

from tests.unit.explain.pictures import classifier, mosaic, scoring
from worker.explain.explain import Explanation, explain
from worker.explain.options import TopClasses
from worker.explain.presets import resolve


def explained(image, predict, preset, *, classes, **options) -> Explanation:
    return explain(
        image,
        options=resolve(preset, options),
        classes=classes,
        score=scoring(predict),
        batch_size=7,
    )


def lime_says(image, predict, *, seed, samples, top_labels, num_features=100_000):
    return LimeImageExplainer(random_state=seed).explain_instance(
        image.copy(),
        predict,
        top_labels=top_labels,
        num_samples=samples,
        num_features=num_features,
    )


def assert_agrees(ours: Explanation, theirs, *, within: float = 1e-12) -> None:
    assert [answer.class_index for answer in ours.classes] == list(theirs.top_labels)
    for answer in ours.classes:
        coefficients = np.zeros(len(answer.attributions))
        for segment, coefficient in theirs.local_exp[answer.class_index]:
            coefficients[segment] = coefficient
        np.testing.assert_allclose(answer.attributions, coefficients, rtol=0, atol=within)
        assert answer.intercept == pytest.approx(
            theirs.intercept[answer.class_index], rel=0, abs=within
        )
    # The package keeps these two for the class that it fitted last, which is the best.
    assert ours.classes[0].r2 == pytest.approx(theirs.score, rel=0, abs=within)
    assert ours.classes[0].surrogate_score == pytest.approx(
        float(theirs.local_pred[0]), rel=0, abs=within
    )


@pytest.mark.parametrize("seed", [0, 1, 7])
@pytest.mark.parametrize(
    ("shape", "tiles", "few"), [((64, 80), 5, False), ((40, 33), 2, True)], ids=["many", "few"]
)
def test_lime_preset_gives_the_numbers_of_the_lime_package(seed, shape, tiles, few):
    image = mosaic(*shape, tiles=tiles, seed=seed)
    predict = classifier(image.shape, seed=seed)

    ours = explained(image, predict, "lime", classes=TopClasses(top=3), seed=seed, samples=120)
    theirs = lime_says(image, predict, seed=seed, samples=120, top_labels=3)

    np.testing.assert_array_equal(ours.segments, theirs.segments)
    assert (ours.segments.max() + 1 <= 6) == few
    assert_agrees(ours, theirs)


@pytest.mark.parametrize("num_features", [1, 4, 6, 7, 9])
@pytest.mark.parametrize("seed", [0, 3])
def test_lime_preset_selects_the_features_that_the_lime_package_selects(seed, num_features):
    # Up to six features the package adds them one by one, above that it takes the largest.
    image = mosaic(64, 80, tiles=5, seed=seed)
    predict = classifier(image.shape, seed=seed)

    ours = explained(
        image,
        predict,
        "lime",
        classes=TopClasses(top=2),
        seed=seed,
        samples=150,
        num_features=num_features,
    )
    theirs = lime_says(
        image, predict, seed=seed, samples=150, top_labels=2, num_features=num_features
    )

    assert [np.count_nonzero(answer.attributions) for answer in ours.classes] == [num_features] * 2
    assert_agrees(ours, theirs)


def test_lime_preset_treats_a_grey_image_as_the_lime_package_does():
    grey = mosaic(60, 44, channels=1, tiles=5)
    predict = classifier(grey.shape)

    ours = explained(grey, predict, "lime", classes=TopClasses(top=1), samples=90)
    # The package turns grey into three equal channels, which the model here undoes.
    theirs = lime_says(
        grey[..., 0], lambda images: predict(images[..., :1]), seed=0, samples=90, top_labels=1
    )

    np.testing.assert_array_equal(ours.segments, theirs.segments)
    assert_agrees(ours, theirs)


# The images have 104 and 107 segments: half of them are selected, rounded down.
@pytest.mark.parametrize("seed", [0, 2])
def test_visualime_preset_gives_the_numbers_of_the_visualime_package(seed):
    image = mosaic(96, 96, tiles=8, seed=seed)
    predict = classifier(image.shape, seed=seed)

    ours = explained(image, predict, "visualime", classes=[0, 1, 2, 3], seed=seed)
    pixels = image.astype(np.float64)  # On uint8 its distances wrap around.
    for answer in ours.classes:
        np.random.seed(seed)  # The package draws from the global stream.
        # The iteration of its BayesianRidge is unstable with so few samples: the last bits, which
        # the number of threads decides, can turn signs. So it runs on one thread, as we do.
        with threadpool_limits(limits=1, user_api="blas"):
            segments, weights = explain_classification(
                pixels,
                predict,
                label_idx=answer.class_index,
                segmentation_method="slic",
                num_of_samples=128,
                p=0.33,
            )
        np.testing.assert_array_equal(ours.segments, segments)
        np.testing.assert_allclose(answer.attributions, weights, rtol=0, atol=1e-9)
    assert np.count_nonzero(weights) == len(weights) // 2


def test_visualime_preset_answers_where_the_package_fails_for_weights_that_all_vanish():
    image = mosaic(48, 48, tiles=4)
    predict = classifier(image.shape)
    assert create_segments(image, "slic").max() > 200  # At a third kept, every weight is 0.

    (answer,) = explained(image, predict, "visualime", classes=[1]).classes
    assert np.isfinite(answer.attributions).all()
    assert np.count_nonzero(answer.attributions) == len(answer.attributions) // 2


def test_quickshift_ols_preset_agrees_with_its_formula():
    image = mosaic(64, 64, tiles=6)
    predict = classifier(image.shape)
    ours = explained(image, predict, "quickshift-ols", classes=TopClasses(top=2), seed=5)

    scaled = image / 127.5 - 1.0
    segments = quickshift(scaled, kernel_size=4, max_dist=200, ratio=0.2)
    np.testing.assert_array_equal(ours.segments, segments)

    count = segments.max() + 1
    samples = np.random.RandomState(5).binomial(1, 0.5, (150, count))
    images = np.stack([np.where(row[segments][..., None] == 1, image, 128) for row in samples])
    scores = predict(images.astype(np.uint8))
    distances = cosine_distances(samples, np.ones((1, count))).ravel()
    weights = np.sqrt(np.exp(-(distances**2) / 0.25**2))
    for answer in ours.classes:
        model = LinearRegression().fit(samples, scores[:, answer.class_index], weights)
        np.testing.assert_allclose(answer.attributions, model.coef_, rtol=0, atol=1e-10)
        assert answer.intercept == pytest.approx(model.intercept_, abs=1e-10)
        assert answer.r2 == pytest.approx(
            model.score(samples, scores[:, answer.class_index], weights), abs=1e-10
        )


def test_slic_heatmap_preset_agrees_with_its_formula():
    image = mosaic(64, 64, tiles=6)
    predict = classifier(image.shape)
    ours = explained(image, predict, "slic-heatmap", classes=[2], seed=5, samples=400)

    segments = slic(image, n_segments=75, slic_zero=True, compactness=10, start_label=0)
    np.testing.assert_array_equal(ours.segments, segments)

    count = segments.max() + 1
    rng = np.random.default_rng(5)
    rates = rng.random(400)
    samples = np.stack([rng.random(count) > 0.8 * rate for rate in rates])
    scores = predict(np.stack([image * row[segments][..., None] for row in samples]))[:, 2]
    share = 1 - samples.sum(axis=1) / 75
    weights = np.exp(-(share**2) / 0.35**2)
    weights /= weights.sum()
    # The penalty as further rows: √λ for each coefficient, none for the intercept.
    design = np.column_stack([samples, np.ones(400)]) * np.sqrt(weights)[:, None]
    penalty = np.sqrt(1 / 400) * np.eye(count + 1)[:count]
    solution, *_ = np.linalg.lstsq(
        np.vstack([design, penalty]), np.concatenate([scores * np.sqrt(weights), np.zeros(count)])
    )
    (answer,) = ours.classes
    np.testing.assert_allclose(answer.attributions, solution[:-1], rtol=0, atol=1e-10)
    assert answer.intercept == pytest.approx(solution[-1], abs=1e-10)
