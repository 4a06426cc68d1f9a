"""When sampling may end: what each stopping rule asks of a class."""

from __future__ import annotations

import numpy as np
import pytest

from worker.explain.assessment import RULES, Verdict
from worker.explain.surrogate import Fit

# Five clear leaders; the others are weak.
STRENGTHS = np.array([10.0, 9.0, 8.0, 7.0, 6.0, *[1.0] * 15])


def verdict(attributions: np.ndarray = STRENGTHS, *, error: float) -> Verdict:
    """A verdict on a class of whose attributions each has this standard error."""
    scores = np.arange(4.0) if attributions.any() else np.zeros(4)
    return Verdict(
        fit=Fit(
            attributions=attributions, intercept=0.0, fitted=scores, selected=False, smoother=None
        ),
        scores=scores,
        fitted_to=scores,
        influences=error * np.eye(len(attributions)),
        looks=1,
        has_blocks=True,
    )


@pytest.mark.parametrize(
    ("error", "precise"), [(0.14 * 18.57 / np.sqrt(20), True), (0.16 * 18.57 / np.sqrt(20), False)]
)
def test_sampling_ends_when_the_top_is_settled_and_the_whole_is_precise(error, precise):
    one = verdict(error=error)
    assert one.settled
    assert one.certified
    assert one.precise is precise
    assert RULES["settled"](one) is precise
    assert RULES["certified"](one)
    assert not RULES["fixed"](one)


def test_a_precise_whole_does_not_make_up_for_a_top_that_is_not_settled():
    close = np.array([5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0])
    one = verdict(close, error=0.5)
    assert one.precise
    assert RULES["settled"](one) is False


def test_nothing_is_asked_of_a_score_that_never_moves():
    one = verdict(np.zeros(20), error=0.0)
    assert one.relative_error is None
    assert RULES["settled"](one)
