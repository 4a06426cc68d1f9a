"""What a job answers where there is little to answer from: each has a result, and no NaN in it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.unit.explain.pictures import classifier, scoring
from tests.unit.explain.requests import IMAGE, PREDICT, explained, options
from tests.unit.fakes import resolved_model
from worker.explain.options import ExplanationOptions
from worker.result import UploadSegments, attributions_json, result_json


def answered(chosen: ExplanationOptions, predict: Any = PREDICT) -> dict[str, Any]:
    """Both documents of a job, as a client that reads strict JSON finds them."""
    explanation = explained(chosen, score=scoring(predict), classes=[0, 1])
    on_upload = UploadSegments.measure(explanation.segments, numbers=explanation.segment_numbers)
    model = resolved_model(version=1, labels=None)
    arrays = attributions_json(explanation, model=model, on_upload=on_upload)
    result = result_json(
        explanation, model=model, on_upload=on_upload, options=chosen.model_dump(mode="json"),
        overlays={}, model_calls=1, timings={}, warnings=(), libraries={}, fence=1,
    )  # fmt: skip
    json.loads(arrays)
    again: dict[str, Any] = json.loads(json.dumps(result, allow_nan=False))
    return again


@pytest.mark.parametrize("samples", [2, 3, 12, 13, 14, 23, 31])
@pytest.mark.parametrize("surrogate", ["ridge", "ols", "normalised-ridge", "bayesian-ridge"])
def test_few_samples_give_a_result_with_a_warning(samples: int, surrogate: str) -> None:
    result = answered(options(samples=samples, surrogate=surrogate, insertion_deletion=True))
    assert result["samples"]["used"] == samples
    assert result["samples"]["stopped_by"] == "limit"
    assert result["warnings"]


@pytest.mark.parametrize("surrogate", ["ridge", "ols", "normalised-ridge", "lasso"])
@pytest.mark.parametrize("scale", ["probability", "logit"])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_constant_model_gives_zeros_and_a_warning(
    surrogate: str, scale: str, level: float
) -> None:
    result = answered(
        options(surrogate=surrogate, score_scale=scale, insertion_deletion=True),
        lambda images: np.full((len(images), 2), level),
    )
    for one in result["explanations"]:
        assert one["fidelity"] == {"r2": 0.0, "press_r2": None}
        assert {segment["attribution"] for segment in one["top_segments"]} == {0.0}
    assert "score-unchanged" in {one["code"] for one in result["warnings"]}


def test_of_classes_with_equal_scores_the_lower_index_comes_first() -> None:
    def twins(images: np.ndarray) -> np.ndarray:
        score = classifier(IMAGE.shape)(images)[:, :1] / 2
        return np.hstack([1 - 2 * score, score, score])

    result = answered(options(), twins)
    order = [one["class_index"] for one in result["predictions"]]
    assert order.index(1) < order.index(2)
    one, other = explained(options(), score=scoring(twins), classes=[1, 2]).classes
    np.testing.assert_array_equal(one.attributions, other.attributions)
    assert (one.settled, one.certified) == (other.settled, other.certified)
