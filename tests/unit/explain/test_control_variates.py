"""Control variates: the same attributions, from fewer samples."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest

from tests.unit.explain.pictures import scoring
from tests.unit.explain.requests import IMAGE, brightness, explained, options
from worker.explain import uncertainty
from worker.explain.assessment import Assessment, assess, overlaps_of_halves
from worker.explain.control_variates import ControlVariates
from worker.explain.evidence import Evidence
from worker.explain.moments import Projection, moments
from worker.explain.perturb import Hiding
from worker.explain.samplers import SAMPLERS

SEGMENTS = 9
# Three rows of three.
MAP = np.kron(np.arange(SEGMENTS).reshape(3, 3), np.ones((8, 8))).astype(np.int32)
HIDING = Hiding(
    image=np.zeros((24, 24, 3), np.uint8), baseline=np.ones((24, 24, 3), np.uint8), segments=MAP
)
EVERY_SAMPLE = np.array(list(product([False, True], repeat=SEGMENTS)))


def together(samples: np.ndarray) -> np.ndarray:
    """A model, on samples instead of images, that wants several neighbours at once."""
    whole = 0.5 * samples[:, :3].all(axis=1) + 0.3 * samples[:, [3, 4]].all(axis=1)
    either = 0.2 * samples[:, [4, 5]].any(axis=1)
    return 0.05 * samples[:, 8] + whole + either


def evidence(*, seed: int, limit: int = 160, sampler: str = "orthogonal", score=together):
    blocks = list(
        SAMPLERS[sampler](segments=SEGMENTS, limit=limit, keep_probability=0.5, seed=seed)
    )
    return Evidence.of(blocks, score(np.concatenate([block.rows for block in blocks]))[:, None])


def answer(chosen=None, **asked) -> Assessment:
    return assess(evidence(**asked), HIDING, chosen or options())


def controls(given: Evidence) -> ControlVariates:
    made = ControlVariates.of(given, segments=MAP, weights=np.ones(SEGMENTS + 1))
    assert made is not None
    return made


def attributions(assessment: Assessment) -> np.ndarray:
    return assessment.verdicts[0].fit.attributions


def target(distance: str = "cosine") -> np.ndarray:
    """The attributions that all 512 samples give, without the ridge's penalty."""
    everything = Evidence(
        samples=EVERY_SAMPLE,
        scores=together(EVERY_SAMPLE)[:, None],
        clusters=np.arange(len(EVERY_SAMPLE)),
        units=np.arange(len(EVERY_SAMPLE)),
        first_block=len(EVERY_SAMPLE),
    )
    chosen = options(surrogate="ols", distance=distance, control_variates="none")
    return attributions(assess(everything, HIDING, chosen))


# --- what is known exactly ------------------------------------------------------------------------


@pytest.mark.parametrize("segments", [4, 5, 9])
def test_moments_are_those_of_all_samples(segments):
    weights = np.random.default_rng(segments).random(segments + 1)
    signs = np.array(list(product([-1.0, 1.0], repeat=segments)))
    chances = weights[(signs > 0).sum(axis=1)]
    chances /= chances.sum()
    expected = [chances @ signs[:, :degree].prod(axis=1) for degree in range(5)]
    np.testing.assert_allclose(moments(weights), expected, atol=1e-12)


def test_moments_of_very_many_segments_are_finite():
    assert np.isfinite(moments(np.linspace(0, 1, 2001))).all()


@pytest.mark.parametrize(("segments", "degree"), [(4, 2), (4, 3), (7, 2), (7, 3)])
def test_the_linear_part_of_products_is_that_of_all_samples(segments, degree):
    rng = np.random.default_rng(segments)
    weights = rng.random(segments + 1)
    signs = np.array(list(product([-1.0, 1.0], repeat=segments)))
    members = np.array(list(combinations(range(segments), degree)))
    effects = rng.normal(size=len(members))
    values = signs[:, members].prod(axis=2) @ effects
    root = np.sqrt(weights[(signs > 0).sum(axis=1)])
    terms = np.column_stack([np.ones(len(signs)), signs])
    expected = terms @ np.linalg.lstsq(root[:, None] * terms, root * values, rcond=None)[0]
    projection = Projection.of(degree, segments, moments(weights))
    np.testing.assert_allclose(projection(members, effects, signs), expected, atol=1e-10)


def test_what_is_taken_off_a_sample_comes_from_other_folds():
    """A score changed at will changes what is taken off other folds, and nothing of its own."""
    given = evidence(seed=1)
    first = np.flatnonzero(given.units == 0)

    def taken_off(scores: np.ndarray) -> np.ndarray:
        ways = controls(given).adjusted(scores, np.ones(SEGMENTS))
        return np.stack([scores - way for way in ways], axis=1)

    before = given.scores[:, 0]
    moved = before.copy()
    moved[first] += np.random.default_rng(0).normal(size=len(first))
    before, after = taken_off(before), taken_off(moved)
    np.testing.assert_allclose(after[first], before[first], atol=1e-9)
    rest = given.units > 0
    assert np.abs(after[rest] - before[rest]).max() > 1e-3


# --- the same attributions ------------------------------------------------------------------------


@pytest.mark.parametrize("distance", ["cosine", "hidden-share", "uniform"])
def test_the_mean_of_many_answers_is_the_answer_of_all_samples(distance):
    chosen = options(surrogate="ols", distance=distance)
    answers = [answer(chosen, seed=seed) for seed in range(300)]
    found = np.array([attributions(one) for one in answers])
    assert all(one.verdicts[0].is_adjusted for one in answers)
    # A weighted fit to few samples has a bias of its own, which without control variates is larger.
    true = target(distance)
    assert np.abs(found.mean(axis=0) - true).max() < 0.01 * np.abs(true).max()


@pytest.mark.parametrize("sampler", ["orthogonal", "antithetic"])
def test_errors_are_smaller_and_standard_errors_say_how_large(sampler):
    plain = options(surrogate="ols", control_variates="none")
    chosen = options(surrogate="ols")
    true = target()
    errors: dict[str, list[float]] = {"plain": [], "adjusted": [], "told": []}
    for seed in range(60):
        one = answer(chosen, seed=seed, sampler=sampler, limit=320)
        other = answer(plain, seed=seed, sampler=sampler, limit=320)
        errors["adjusted"].append(np.square(attributions(one) - true).sum())
        errors["plain"].append(np.square(attributions(other) - true).sum())
        influences = one.verdicts[0].influences
        errors["told"].append(np.square(uncertainty.standard_errors(influences)).sum())
    mean = {name: np.mean(values) for name, values in errors.items()}
    assert mean["adjusted"] < 0.1 * mean["plain"]
    assert mean["told"] == pytest.approx(mean["adjusted"], rel=0.3)


def test_halves_are_adjusted_by_themselves():
    chosen = options()
    assessment = answer(chosen, seed=3, limit=640)
    assert overlaps_of_halves(assessment, HIDING, chosen) == (1.0,)


# --- where they are left out ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({"control_variates": "none"}, {}),
        ({}, {"sampler": "bernoulli"}),
        ({}, {"sampler": "lime"}),
        ({}, {"limit": 17}),  # Unfolded.
        ({}, {"limit": 24}),  # One block.
        ({"distance": "image"}, {}),
        ({"surrogate": "lasso"}, {}),
        ({"surrogate": "bayesian-ridge"}, {}),
        ({"feature_selection": "visualime"}, {}),
    ],
)
def test_they_are_left_out_where_they_cannot_be_exact(values, asked):
    assessment = answer(options(**values), seed=0, **asked)
    plain = answer(options(**{**values, "control_variates": "none"}), seed=0, **asked)
    assert not assessment.verdicts[0].is_adjusted
    assert attributions(assessment).tobytes() == attributions(plain).tobytes()


def test_a_limit_that_cuts_a_pair_leaves_its_single_sample_as_it_is():
    given = evidence(seed=0, limit=161)
    scores = given.scores[:, 0]
    ways = controls(given).adjusted(scores, np.ones(SEGMENTS))
    assert len(ways) == 5
    for way in ways:
        assert way[-1] == scores[-1]
        assert (way[:-1] != scores[:-1]).all()


def test_three_segments_have_answers():
    grid = {"method": "grid", "rows": 1, "columns": 3}
    where = np.ones(IMAGE.shape[:2], dtype=bool)
    (one,) = explained(options(segmentation=grid), score=scoring(brightness(where))).classes
    assert one.control_variates == "none"
    assert np.isfinite(one.attributions).all()


def test_the_answer_says_whether_they_were_of_use():
    def product_of_halves(images):
        left, right = images[:, :, :30].mean(axis=(1, 2, 3)), images[:, :, 30:].mean(axis=(1, 2, 3))
        score = left * right / 255.0**2
        return np.column_stack([score, 1 - score])

    asked = {"samples": 320, "stopping": "fixed", "baseline": "black"}
    for names, expected in (({}, "interactions"), ({"control_variates": "none"}, "none")):
        (one,) = explained(options(**asked, **names), score=scoring(product_of_halves)).classes
        assert one.control_variates == expected
