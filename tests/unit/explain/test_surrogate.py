from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import linear_model

from worker.explain.options import ExplanationOptions
from worker.explain.surrogate import SURROGATES, fit


def data(count: int = 60, segments: int = 8, classes: int = 3, seed: int = 0):
    rng = np.random.default_rng(seed)
    samples = rng.random((count, segments)) < 0.5
    scores = 0.3 + samples @ rng.normal(size=(segments, classes)) * 0.1
    scores += 0.05 * rng.normal(size=scores.shape)
    weights = rng.uniform(0.2, 1.0, count)
    return samples, scores, weights


def options(surrogate, **others) -> ExplanationOptions:
    return ExplanationOptions(surrogate=surrogate, **others)


PEERS = {
    "ridge": (options({"method": "ridge", "alpha": 2.5}), linear_model.Ridge(alpha=2.5)),
    "ols": (options("ols"), linear_model.LinearRegression()),
    "unpenalised": (options({"method": "ridge", "alpha": 0.0}), linear_model.LinearRegression()),
    "lasso": (
        options({"method": "lasso", "alpha": 0.01}),
        linear_model.Lasso(alpha=0.01, tol=1e-6),
    ),
    "bayesian-ridge": (options("bayesian-ridge"), linear_model.BayesianRidge()),
}


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("count", [60, 300])
def test_a_surrogate_agrees_with_that_of_scikit_learn(name, count):
    ours, peer = PEERS[name]
    samples, scores, weights = data(count)
    for one, column in zip(fit(samples, scores, weights, ours), scores.T, strict=True):
        peer.fit(samples, column, sample_weight=weights)
        np.testing.assert_allclose(one.attributions, peer.coef_, rtol=0, atol=1e-10)
        assert one.intercept == pytest.approx(peer.intercept_, abs=1e-10)
        np.testing.assert_allclose(one.fitted, peer.predict(samples), atol=1e-10)
        assert one.surrogate_score == pytest.approx(
            peer.predict(np.ones((1, samples.shape[1]))).item(), abs=1e-10
        )


def test_ridge_agrees_with_scikit_learn_where_samples_are_fewer_than_segments():
    samples, scores, weights = data(20, 50)
    peer = linear_model.Ridge(alpha=1.0).fit(samples, scores, sample_weight=weights)
    for number, one in enumerate(fit(samples, scores, weights, options("ridge"))):
        np.testing.assert_allclose(one.attributions, peer.coef_[number], rtol=0, atol=1e-12)


def test_least_squares_takes_the_shortest_of_many_solutions():
    samples, scores, weights = data(6, 12)
    centred = samples - np.average(samples, axis=0, weights=weights)
    for one, column in zip(fit(samples, scores, weights, options("ols")), scores.T, strict=True):
        np.testing.assert_allclose(one.fitted, column, atol=1e-10)
        root = np.sqrt(weights)
        shortest = np.linalg.pinv(root[:, None] * centred) @ (
            root * (column - np.average(column, weights=weights))
        )
        np.testing.assert_allclose(one.attributions, shortest, atol=1e-10)


def test_normalised_ridge_does_not_change_with_the_scale_of_the_weights():
    samples, scores, weights = data()
    plain, scaled = (
        fit(samples, scores, weights * factor, options("normalised-ridge")) for factor in (1, 1000)
    )
    for one, other in zip(plain, scaled, strict=True):
        np.testing.assert_allclose(one.attributions, other.attributions, rtol=1e-10)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(["ridge", "normalised-ridge", "ols"]),
    shift=st.floats(-5, 5),
    scale=st.floats(0.1, 10),
    seed=st.integers(0, 50),
)
def test_shifting_scores_moves_the_intercept_and_scaling_them_scales_all(name, shift, scale, seed):
    samples, scores, weights = data(seed=seed)
    plain = fit(samples, scores, weights, options(name))
    moved = fit(samples, scores * scale + shift, weights, options(name))
    for one, other in zip(plain, moved, strict=True):
        np.testing.assert_allclose(other.attributions, one.attributions * scale, atol=1e-9)
        assert other.intercept == pytest.approx(one.intercept * scale + shift, abs=1e-9)


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("selection", ["none", "lime-auto", "visualime"])
def test_a_class_is_fitted_together_with_others_as_it_is_alone(name, selection):
    samples, scores, weights = data()
    number = None if selection == "none" else 4
    chosen = options(name, feature_selection=selection, num_features=number)
    together = fit(samples, scores, weights, chosen)
    for index, one in enumerate(together):
        (alone,) = fit(samples, scores[:, index : index + 1], weights, chosen)
        np.testing.assert_allclose(one.attributions, alone.attributions, rtol=0, atol=1e-13)
        assert one.selected == (selection != "none")


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("selection", ["none", "lime-auto", "visualime"])
def test_a_score_that_never_moves_has_no_attributions(name, selection):
    samples, _, weights = data()
    number = None if selection == "none" else 3
    (one,) = fit(
        samples,
        np.full((len(samples), 1), 0.7),
        weights,
        options(name, feature_selection=selection, num_features=number),
    )
    np.testing.assert_allclose(one.attributions, 0, atol=1e-12)
    assert one.intercept == pytest.approx(0.7)


def test_a_segment_that_is_always_kept_has_no_attribution():
    samples, scores, weights = data()
    samples[:, 2] = True
    for name in SURROGATES:
        for one in fit(samples, scores, weights, options(name)):
            assert one.attributions[2] == pytest.approx(0, abs=1e-12)


def test_a_bayesian_ridge_that_ends_below_zero_is_marked():
    # Weights that sum to less than the number of segments drive its noise precision below zero.
    samples, scores, weights = data(64, 50, seed=2)
    fits = fit(samples, scores, weights * 0.2, options("bayesian-ridge"))
    assert any(one.unstable for one in fits)
    assert all(one.smoother is None for one in fits if one.unstable)
    assert not any(one.unstable for one in fit(*data(400), options("bayesian-ridge")))
