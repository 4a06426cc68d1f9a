from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.explain.hadamard import hadamard, order_for
from worker.explain.samplers import SAMPLERS, Block, block_size, hadamard_rows


def draw(name: str, *, segments: int, limit: int, keep: float = 0.5, seed: int = 0) -> list[Block]:
    return list(SAMPLERS[name](segments=segments, limit=limit, keep_probability=keep, seed=seed))


def rows(name: str, **arguments) -> np.ndarray:
    return np.concatenate([block.rows for block in draw(name, **arguments)])


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(SAMPLERS)),
    segments=st.integers(2, 40),
    limit=st.integers(2, 260),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_sampler_draws_as_many_samples_as_asked_and_the_same_for_a_seed(
    name, segments, limit, seed
):
    samples = rows(name, segments=segments, limit=limit, seed=seed)
    assert samples.shape == (limit, segments)
    assert samples.dtype == np.bool_
    again = rows(name, segments=segments, limit=limit, seed=seed)
    np.testing.assert_array_equal(samples, again)


@pytest.mark.parametrize("name", SAMPLERS)
def test_another_seed_draws_other_samples(name):
    one, other = (rows(name, segments=20, limit=60, seed=seed) for seed in (1, 2))
    assert (one != other).any()


# --- Hadamard matrices ----------------------------------------------------------------------------


@pytest.mark.parametrize("least", [*range(1, 70), 131, 260, 1000])
def test_hadamard_matrices_are_orthogonal_with_a_first_column_of_ones(least):
    order = order_for(least)
    matrix = hadamard(order).astype(np.float64)
    assert matrix.shape == (order, order)
    assert order >= least
    np.testing.assert_array_equal(matrix @ matrix.T, order * np.eye(order))
    assert (matrix[:, 0] == 1).all()


def test_orders_between_powers_of_two_keep_blocks_small():
    assert [order_for(n) for n in (3, 5, 9, 13, 21, 37, 49, 132, 160)] == [
        4, 8, 12, 16, 24, 40, 56, 132, 160,
    ]  # fmt: skip
    assert all(order_for(n) <= 1.25 * n for n in range(32, 2002))


@pytest.mark.parametrize("order", [3, 5, 52, 92])
def test_an_order_without_a_construction_is_refused(order):
    with pytest.raises(ValueError, match=f"order {order}"):
        hadamard(order)


# --- orthogonal -----------------------------------------------------------------------------------


def block(segments: int, signs, *, folded: bool = True, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    array = hadamard(order_for(segments + 1))[:, 1:]
    return hadamard_rows(
        array,
        columns=rng.permutation(array.shape[1])[:segments],
        signs=np.asarray(signs, dtype=np.int8),
        order=rng.permutation(len(array)),
        folded=folded,
    )


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("segments", [2, 3, 4, 5])
def test_over_all_sign_vectors_each_row_is_each_sample_equally_often(segments, folded):
    # So with random signs every row is a set of independent fair coins, exactly.
    blocks = [
        block(segments, signs, folded=folded)
        for signs in itertools.product([-1, 1], repeat=segments)
    ]
    powers = 2 ** np.arange(segments)
    codes = np.stack([one @ powers for one in blocks])
    for position in range(codes.shape[1]):
        assert sorted(codes[:, position]) == list(range(2**segments))


@pytest.mark.parametrize("segments", [3, 7, 10, 19])
def test_main_effects_of_a_folded_block_are_free_of_two_way_interactions(segments):
    rng = np.random.default_rng(segments)
    samples = block(segments, rng.choice([-1, 1], segments))
    signed = np.where(samples, 1, -1)
    np.testing.assert_array_equal(signed.T @ signed, len(signed) * np.eye(segments))
    for first, second in itertools.combinations(range(segments), 2):
        assert not (signed.T @ (signed[:, first] * signed[:, second])).any()

    pairs = rng.normal(size=(segments, segments))
    main = rng.normal(size=segments)
    scores = signed @ main + np.einsum("ni,ij,nj->n", signed, pairs, signed)
    np.testing.assert_allclose(signed.T @ scores / len(signed), main, atol=1e-12)


def test_folded_blocks_are_pairs_of_complements():
    for drawn in draw("orthogonal", segments=10, limit=72):
        assert drawn.paired
        assert drawn.balanced
        np.testing.assert_array_equal(drawn.rows[0::2], ~drawn.rows[1::2])
        assert len(drawn.rows) == block_size(10) == 24


def test_below_two_samples_a_segment_the_array_is_not_folded():
    (drawn,) = draw("orthogonal", segments=19, limit=20)
    assert not drawn.paired
    signed = np.where(drawn.rows, 1, -1)
    np.testing.assert_array_equal(signed.T @ signed, 20 * np.eye(19))
    assert not signed.sum(axis=0).any()
    assert all(one.paired for one in draw("orthogonal", segments=19, limit=38))


# --- the others -----------------------------------------------------------------------------------


def test_bernoulli_draws_the_numbers_of_one_binomial_call_whatever_the_blocks():
    samples = rows("bernoulli", segments=7, limit=100, keep=0.33, seed=3)
    expected = np.random.RandomState(3).binomial(1, 0.33, (100, 7))
    np.testing.assert_array_equal(samples, expected)


def test_lime_draws_the_numbers_of_the_package_after_its_segmentation_seed():
    stream = np.random.RandomState(5)
    stream.randint(0, high=1000)
    expected = stream.randint(0, 2, 30 * 7).reshape(30, 7)
    expected[0] = 1
    np.testing.assert_array_equal(rows("lime", segments=7, limit=30, seed=5), expected)


def test_antithetic_pairs_complement_each_other_at_one_half():
    samples = rows("antithetic", segments=9, limit=64)
    np.testing.assert_array_equal(samples[0::2], ~samples[1::2])


@pytest.mark.parametrize("name", ["antithetic", "bernoulli"])
def test_the_keep_probability_is_the_share_that_is_kept(name):
    samples = rows(name, segments=50, limit=1000, keep=0.2)
    assert samples.mean() == pytest.approx(0.2, abs=0.01)


def test_random_rates_keep_from_a_fifth_to_all_segments():
    # A segment is kept with probability 1 - 0.8u: 0.6 in the mean, and each sample has its own u.
    kept = rows("random-rate", segments=500, limit=2000).mean(axis=1)
    assert kept.mean() == pytest.approx(0.6, abs=0.02)
    assert kept.min() < 0.25
    assert kept.max() > 0.95
    assert kept.std() == pytest.approx(0.8 / np.sqrt(12), abs=0.02)
