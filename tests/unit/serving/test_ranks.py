"""Scores of the k best classes are told from the scores of all."""

from __future__ import annotations

import numpy as np
import pytest

from worker.serving.ranks import Ranks

FALLING = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]])
RISING = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])


@pytest.mark.parametrize(
    "classes",
    [
        [[b"ant", b"bee", b"cow"], [b"bee", b"ant", b"cow"]],
        [[7, 3, 9], [3, 7, 9]],
        [[285, 281, 904], [285, 281, 282]],
    ],
)
def test_falling_scores_of_changing_classes_are_of_ranks(classes: list) -> None:
    names = np.array(classes, object if isinstance(classes[0][0], bytes) else np.int64)
    assert Ranks().are_scores_of(FALLING, names)


def test_ranks_are_found_by_a_later_answer_too() -> None:
    ranks = Ranks()
    assert not ranks.are_scores_of(FALLING[:1], np.array([[1, 2, 0]]))
    assert ranks.is_open
    assert ranks.are_scores_of(FALLING[1:], np.array([[1, 0, 2]]))


@pytest.mark.parametrize(
    ("scores", "classes"),
    [
        # Every class has its place, whatever the scores are: Keras and the Classify API do so.
        (FALLING, [[b"ant", b"bee", b"cow"]] * 2),
        (FALLING, [[0, 1, 2]] * 2),
        # Numbers of another kind beside scores that are not sorted.
        (RISING, [[7, 3, 9], [3, 7, 9]]),
        # Flags: which scores are high.
        (FALLING, [[1, 0, 0], [1, 1, 0]]),
        # One unit, and its decision.
        (FALLING[:, :1], [[1], [0]]),
        # The best class alone, beside the scores of all.
        (FALLING, [[1], [0]]),
    ],
)
def test_scores_of_all_classes_are_not_taken_for_ranks(scores: np.ndarray, classes: list) -> None:
    assert not Ranks().are_scores_of(scores, np.array(classes))


def test_one_row_that_rises_ends_the_question() -> None:
    ranks = Ranks()
    assert not ranks.are_scores_of(RISING, np.array([[0, 1, 2]] * 2))
    assert not ranks.is_open
    assert not ranks.are_scores_of(FALLING, np.array([[7, 3, 9], [3, 7, 9]]))


def test_two_classes_whose_decisions_follow_their_scores_are_no_ranks() -> None:
    # One-hot decisions look like an order of two classes; but then the scores rise as well.
    ranks = Ranks()
    assert not ranks.are_scores_of(np.array([[0.8, 0.2]]), np.array([[1, 0]]))
    assert not ranks.are_scores_of(np.array([[0.3, 0.7]]), np.array([[0, 1]]))
    assert not ranks.is_open


def test_ascending_scores_of_changing_classes_are_of_ranks_too() -> None:
    ascending = FALLING[:, ::-1]
    assert Ranks().are_scores_of(ascending, np.array([[9, 3, 7], [9, 7, 3]]))
    # Once this way, once that: by chance.
    mixed = np.stack([FALLING[0], ascending[1]])
    assert not Ranks().are_scores_of(mixed, np.array([[9, 3, 7], [9, 7, 3]]))


@pytest.mark.parametrize(
    ("scores", "classes"),
    [
        # The best of two, whose score is never below a half.
        ([0.9, 0.7, 0.6, 0.8], [b"cat", b"dog", b"cat", b"cat"]),
        ([0.9, 0.3, 0.2, 0.4], [285.0, 7.0, 285.0, 904.0]),
    ],
)
def test_a_single_score_from_which_the_class_does_not_follow_is_the_best_ones(
    scores: list[float], classes: list
) -> None:
    ranks = Ranks()
    found = [
        ranks.are_scores_of(np.array([[score]]), np.array([[name]], object))
        for score, name in zip(scores, classes, strict=True)
    ]
    assert not found[0]
    # The next job in the process is told the same.
    assert found[2:] == [True, True]


@pytest.mark.parametrize(
    "names", [[b"cat", b"dog"], [b"fine", b"check", b"broken"], [b"always"], [1, 0, 2, 3]]
)
def test_a_class_that_is_decided_by_thresholds_is_no_rank(names: list) -> None:
    ranks = Ranks()
    scores = np.random.default_rng(0).random((300, 1))
    classes = np.array(names, object)[(scores * len(names)).astype(int)]
    assert not ranks.are_scores_of(scores[:200], classes[:200])
    assert ranks.is_open
    assert not ranks.are_scores_of(scores[200:], classes[200:])
    assert not ranks.is_open
