from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score

from tests.unit.explain.test_surrogate import data, options
from worker.explain import figures
from worker.explain.evidence import Evidence
from worker.explain.samplers import SAMPLERS, Block
from worker.explain.surrogate import fit


@pytest.mark.parametrize("name", ["ridge", "ols"])
def test_r2_is_the_weighted_one_of_scikit_learn(name):
    samples, scores, weights = data()
    for one, column in zip(fit(samples, scores, weights, options(name)), scores.T, strict=True):
        expected = r2_score(column, one.fitted, sample_weight=weights)
        assert figures.r2(column, one.fitted, weights) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "peer"), [("ridge", Ridge(alpha=1.0)), ("ols", LinearRegression())]
)
def test_press_r2_is_that_of_leaving_out_one_sample_at_a_time(name, peer):
    samples, scores, weights = data(40)
    (one,) = fit(samples, scores[:, :1], weights, options(name))
    column = scores[:, 0]
    without = np.empty(40)
    for number in range(40):
        rest = np.arange(40) != number
        peer.fit(samples[rest], column[rest], sample_weight=weights[rest])
        without[number] = peer.predict(samples[number : number + 1]).item()
    expected = r2_score(column, without, sample_weight=weights)
    assert figures.press_r2(one, column, weights) == pytest.approx(expected, abs=1e-10)
    assert figures.press_r2(one, column, weights) < figures.r2(column, one.fitted, weights)


def test_press_r2_unmasks_a_fit_to_noise():
    rng = np.random.default_rng(4)
    samples, noise, weights = rng.random((60, 40)) < 0.5, rng.normal(size=(60, 1)), np.ones(60)
    (one,) = fit(samples, noise, weights, options("ridge"))
    assert figures.r2(noise[:, 0], one.fitted, weights) > 0.4
    assert figures.press_r2(one, noise[:, 0], weights) < 0


@pytest.mark.parametrize(
    "chosen",
    [
        options("lasso"),
        options("ridge", feature_selection="lime-auto", num_features=3),
        options("ridge", feature_selection="visualime"),
    ],
)
def test_press_r2_is_left_out_where_it_has_no_closed_form(chosen):
    samples, scores, weights = data()
    (one,) = fit(samples, scores[:, :1], weights, chosen)
    assert figures.press_r2(one, scores[:, 0], weights) is None


def test_press_r2_is_left_out_where_a_sample_decides_its_own_fit():
    samples, scores, weights = data(6, 12)
    (one,) = fit(samples, scores[:, :1], weights, options("ols"))
    assert figures.press_r2(one, scores[:, 0], weights) is None


def test_a_score_that_never_moves_has_no_fidelity():
    samples, _, weights = data()
    still = np.full(len(samples), 0.1) + 1e-17
    (one,) = fit(samples, still[:, None], weights, options("ridge"))
    assert figures.r2(still, one.fitted, weights) == 0
    assert figures.press_r2(one, still, weights) is None
    assert not figures.moved(still)


def test_jaccard_compares_the_five_strongest_of_either_sign():
    one = np.array([9, -8, 7, -6, 5, 1, 0.0])
    assert figures.jaccard(one, -one) == 1.0
    assert figures.jaccard(one, np.array([9, -8, 7, -6, 0, 5, 1.0])) == pytest.approx(4 / 6)
    assert figures.jaccard(one[:5], one[:5]) is None


def test_jaccard_leaves_out_what_is_next_to_nothing():
    # Two segments matter; which of the others would come third is chance.
    one = np.array([1.0, -0.5, 0.0, 0.0, 0.0, 0.0, 0.0])
    other = np.array([0.9, -0.6, 0.0, 1e-9, -0.08, 0.05, 0.02])
    assert figures.jaccard(one, other) == 1.0
    assert figures.jaccard(one, -other[::-1]) == 0.0
    assert figures.jaccard(np.zeros(7), np.zeros(7)) is None
    assert figures.jaccard(one, np.zeros(7)) == 0.0


@pytest.mark.parametrize(
    ("sampler", "limit", "unit"), [("bernoulli", 50, 1), ("antithetic", 50, 2), ("lime", 50, 1)]
)
def test_halves_take_turns_by_what_is_independent(sampler, limit, unit):
    blocks = list(SAMPLERS[sampler](segments=6, limit=limit, keep_probability=0.5, seed=0))
    even, odd = Evidence.of(blocks, np.zeros((limit, 1))).halves()
    np.testing.assert_array_equal(even, np.arange(limit) // unit % 2 == 0)
    np.testing.assert_array_equal(odd, ~even)


def test_halves_of_balanced_blocks_are_whole_blocks():
    blocks = list(SAMPLERS["orthogonal"](segments=6, limit=40, keep_probability=0.5, seed=0))
    even, odd = Evidence.of(blocks, np.zeros((40, 1))).halves()
    np.testing.assert_array_equal(even, np.repeat([True, False, True], [16, 16, 8]))
    np.testing.assert_array_equal(odd, ~even)
    assert Evidence.of(blocks[:1], np.zeros((16, 1))).halves() is None


def test_clusters_number_on_from_block_to_block():
    blocks = [Block(rows=np.ones((n, 2), dtype=bool), paired=True) for n in (4, 3, 2)]
    evidence = Evidence.of(blocks, np.zeros((9, 1)))
    np.testing.assert_array_equal(evidence.clusters, [0, 0, 1, 1, 2, 2, 3, 4, 4])


# --- insertion and deletion -----------------------------------------------------------------------


def test_deletion_hides_the_strongest_first_and_insertion_shows_it_first():
    samples = figures.ranking_samples(np.array([0.1, 0.9, -0.5]))
    np.testing.assert_array_equal(samples, [[1, 0, 1], [0, 0, 1], [0, 1, 0], [1, 1, 0]])


def areas_of_an_additive_model(sizes: np.ndarray) -> dict[str, float]:
    effects = np.array([0.6, 0.3, 0.1, 0.0])
    ranked, random = figures.ranking_samples(effects), figures.random_samples(4, seed=1)
    return figures.insertion_deletion(
        figures.Steps(ranked, ranked @ effects),
        figures.Steps(random, random @ effects),
        areas=sizes,
        score=1.0,
        hidden_score=0.0,
    )


def test_areas_of_an_additive_model_are_those_of_its_steps():
    areas = areas_of_an_additive_model(np.full(4, 0.25))
    assert areas["deletion_auc"] == pytest.approx((0.5 * 1.0 + 0.4 + 0.1 + 0.0) / 4)
    assert areas["insertion_auc"] == pytest.approx((0.6 + 0.9 + 1.0 + 0.5 * 1.0) / 4)
    assert areas["deletion_auc"] < areas["random_auc"] < areas["insertion_auc"]


def test_a_large_segment_is_a_long_way_along_the_curve():
    areas = areas_of_an_additive_model(np.array([0.7, 0.1, 0.1, 0.1]))
    assert areas["insertion_auc"] == pytest.approx(
        0.7 * 0.6 / 2 + 0.1 * (0.6 + 0.9) / 2 + 0.1 * (0.9 + 1.0) / 2 + 0.1 * 1.0
    )
    assert areas["deletion_auc"] == pytest.approx(
        0.7 * (1.0 + 0.4) / 2 + 0.1 * (0.4 + 0.1) / 2 + 0.1 * 0.1 / 2
    )


def test_random_orders_hide_one_segment_more_at_each_step():
    samples = figures.random_samples(6, seed=0)
    assert samples.shape == (5 * figures.RANDOM_ORDERS, 6)
    np.testing.assert_array_equal(
        (~samples).sum(axis=1), np.tile(np.arange(1, 6), figures.RANDOM_ORDERS)
    )
    for order in np.split(samples, figures.RANDOM_ORDERS):
        assert (order[1:] <= order[:-1]).all()
