from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.explain import stopping
from worker.explain.evidence import Evidence
from worker.explain.options import ExplanationOptions
from worker.explain.samplers import SAMPLERS
from worker.explain.surrogate import fit
from worker.explain.uncertainty import influence, sign_confidence, standard_errors

OPTIONS = ExplanationOptions()


def observed(sampler: str, *, limit: int, segments: int = 6, seed: int = 0):
    """Samples with scores that have interactions, so that no additive surrogate is right."""
    blocks = list(
        SAMPLERS[sampler](segments=segments, limit=limit, keep_probability=0.5, seed=seed)
    )
    samples = np.concatenate([block.rows for block in blocks])
    rng = np.random.default_rng(99)
    main, pairs = rng.normal(size=segments), 0.5 * rng.normal(size=(segments, segments))
    scores = samples @ main + np.einsum("ni,ij,nj->n", samples, pairs, samples)
    evidence = Evidence.of(blocks, scores[:, None])
    distance = 1 - np.sqrt(samples.mean(axis=1))
    return evidence, scores, np.exp(-8 * distance**2)


def by_the_book(evidence, scores, weights):
    """CR2 with matrices written out: a column of ones, a penalty, an eigendecomposition each."""
    rows = np.column_stack([np.ones(len(scores)), evidence.samples])
    penalty = np.diag([0.0] + [1.0] * evidence.samples.shape[1])
    bread = np.linalg.inv(rows.T @ (weights[:, None] * rows) + penalty)
    root = np.sqrt(weights)
    hat = root[:, None] * (rows @ bread @ rows.T) * root
    residuals = root * (scores - rows @ bread @ rows.T @ (weights * scores))
    meat = np.zeros_like(bread)
    for number in range(evidence.clusters.max() + 1):
        members = np.flatnonzero(evidence.clusters == number)
        values, vectors = np.linalg.eigh(np.eye(len(members)) - hat[np.ix_(members, members)])
        scaled = (vectors / np.sqrt(values)) @ vectors.T @ residuals[members]
        step = rows[members].T @ (root[members] * scaled)
        meat += np.outer(step, step)
    return np.sqrt(np.diag(bread @ meat @ bread))[1:]


@pytest.mark.parametrize("sampler", ["bernoulli", "antithetic", "orthogonal"])
@pytest.mark.parametrize("limit", [30, 31, 64])
def test_standard_errors_are_those_of_the_textbook(sampler, limit):
    evidence, scores, weights = observed(sampler, limit=limit)
    (one,) = fit(evidence.samples, evidence.scores, weights, OPTIONS)
    influences = influence(one, scores, evidence.clusters)
    assert len(influences) == evidence.clusters.max() + 1
    np.testing.assert_allclose(
        standard_errors(influences), by_the_book(evidence, scores, weights), rtol=1e-9
    )


@pytest.mark.parametrize("sampler", ["bernoulli", "antithetic", "orthogonal"])
def test_standard_errors_tell_how_far_attributions_scatter_over_seeds(sampler):
    found, errors = [], []
    for seed in range(120):
        evidence, scores, weights = observed(sampler, limit=96, segments=10, seed=seed)
        (one,) = fit(evidence.samples, evidence.scores, weights, OPTIONS)
        found.append(one.attributions)
        errors.append(standard_errors(influence(one, scores, evidence.clusters)))
    ratios = np.mean(errors, axis=0) / np.std(found, axis=0)
    assert 0.85 < np.median(ratios) < 1.25


@pytest.mark.parametrize(
    "others",
    [
        {"surrogate": "lasso"},
        {"feature_selection": "lime-auto", "num_features": 3},
        {"feature_selection": "visualime"},
    ],
)
def test_what_no_formula_covers_has_no_standard_errors(others):
    evidence, scores, weights = observed("bernoulli", limit=64)
    (one,) = fit(evidence.samples, evidence.scores, weights, ExplanationOptions(**others))
    assert influence(one, scores, evidence.clusters) is None


def test_a_fit_that_leaves_no_residuals_has_no_standard_errors():
    evidence, scores, weights = observed("bernoulli", limit=6)
    (one,) = fit(evidence.samples, evidence.scores, weights, ExplanationOptions(surrogate="ols"))
    assert influence(one, scores, evidence.clusters) is None


def test_sign_confidence_is_the_normal_distribution_of_the_ratio():
    confidence = sign_confidence(np.array([0.0, 1.96, -1.0, 0.0]), np.array([1.0, 1.0, 1.0, 0.0]))
    np.testing.assert_allclose(confidence, [0.5, 0.975, 0.8413, 0.5], atol=1e-4)


# --- stopping -------------------------------------------------------------------------------------


def noise(segments: int, size: float, *, clusters: int = 40) -> np.ndarray:
    """Influences that give every attribution the standard error ``size``, independently."""
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(clusters, segments)))[0]
    return basis * size


CLEAR = np.array([1.0, -0.9, 0.8, 0.7, -0.6, 0.1, 0.05, 0.0])


def test_a_clear_lead_is_settled_and_a_noisy_one_is_not():
    # The closest pair: 0.6 against 0.1, with a tolerance of 0.1.
    limit = 0.6 / (1.6449 * np.sqrt(2))
    assert stopping.is_settled(CLEAR, noise(8, limit * 0.99))
    assert not stopping.is_settled(CLEAR, noise(8, limit * 1.01))


def test_a_tie_is_settled_once_it_is_known_within_the_tolerance():
    tied = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    assert stopping.is_settled(tied, noise(7, 0.04))
    assert not stopping.is_settled(tied, noise(7, 0.05))


def test_errors_that_two_segments_share_do_not_keep_them_apart():
    together = noise(1, 1.0).repeat(7, axis=1)
    assert stopping.is_settled(np.array([1.0, 0.9, 0.8, 0.7, 0.6, 0.1, 0.0]), together)


def test_of_five_segments_or_fewer_all_but_one_are_the_top():
    close = np.array([1.0, 0.5, 0.49])
    assert stopping.is_settled(close, noise(3, 0.04))
    assert not stopping.is_settled(close, noise(3, 0.2))
    assert stopping.is_settled(np.array([1.0, 0.2]), noise(2, 0.3))


def test_a_score_that_never_moves_is_settled():
    assert stopping.is_settled(np.zeros(9), np.zeros((4, 9)))


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(-1, 1), min_size=2, max_size=12),
    size=st.floats(0.001, 0.5),
    looks=st.integers(1, 50),
)
def test_certified_is_settled_and_signs_and_scale_do_not_matter(values, size, looks):
    attributions, influences = np.array(values), noise(len(values), size)
    settled = stopping.is_settled(attributions, influences)
    certified = stopping.is_certified(attributions, influences, looks=looks)
    assert settled or not certified
    assert stopping.is_settled(-attributions, influences) == settled
    assert stopping.is_settled(attributions * 8, influences * 8) == settled
    if not stopping.is_certified(attributions, influences, looks=1):
        assert not certified


@pytest.mark.parametrize(
    ("limit", "block", "looks"),
    [
        (1000, 104, [208, 312, 416, 520, 624, 728, 832, 936, 1000]),
        (208, 104, [208]),
        (209, 104, [208, 209]),
        (50, 104, [50]),
        (330, 10, [20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150, 160, 170, 180, 190,
                   200, 220, 240, 260, 280, 300, 330]),
    ],
)  # fmt: skip
def test_one_looks_from_the_second_block_on_and_less_often_later(limit, block, looks):
    assert stopping.looks(limit=limit, block=block) == looks


def test_even_ten_thousand_samples_are_looked_at_some_dozen_times():
    assert len(stopping.looks(limit=10_000, block=16)) < 60
