from __future__ import annotations

import numpy as np
import pytest

from tests.unit.serving.models import resolved_model
from worker.serving import tensors
from worker.serving.errors import BadModelOutput
from worker.serving.outputs import ScoreReader
from worker.serving.profile import Activation
from worker.serving.stubs.prediction_service_pb2 import PredictResponse


def answer(values: object, *, version: int = 3, name: str = "scores") -> PredictResponse:
    tensor = tensors.from_array(np.asarray(values, np.float32))
    response = PredictResponse(outputs={name: tensor})
    response.model_spec.version.value = version
    return response


def read(
    values: object,
    *,
    rows: int,
    activation: Activation = "none",
    class_count: int | None = None,
) -> np.ndarray:
    reader = ScoreReader(resolved_model(class_count=class_count), activation=activation)
    scores = reader.read(answer(values), rows=rows)
    assert scores.dtype == np.float64
    return scores


def test_scores_are_read_as_they_are() -> None:
    np.testing.assert_array_equal(read([[0.25, 0.75], [1, 0]], rows=2), [[0.25, 0.75], [1, 0]])


def test_logits_without_activation_stay_logits() -> None:
    np.testing.assert_array_equal(read([[-3, 12]], rows=1), [[-3, 12]])


def test_softmax_is_of_each_row_and_does_not_overflow() -> None:
    scores = read([[0, np.log(3)], [1000, 1000]], rows=2, activation="softmax")
    np.testing.assert_allclose(scores, [[0.25, 0.75], [0.5, 0.5]], rtol=1e-6)


def test_sigmoid_is_of_each_score_and_does_not_overflow() -> None:
    scores = read([[0, np.log(3), -1000, 1000]], rows=1, activation="sigmoid")
    np.testing.assert_allclose(scores, [[0.5, 0.75, 0, 1]], rtol=1e-6)


@pytest.mark.parametrize("values", [[0.25, 1.0], [[0.25], [1.0]]], ids=["flat", "column"])
def test_one_number_an_image_is_two_classes(values: list) -> None:
    np.testing.assert_array_equal(read(values, rows=2), [[0.75, 0.25], [0, 1]])


@pytest.mark.parametrize("values", [0.25, [0.25], [[0.25]]], ids=["scalar", "flat", "column"])
def test_one_number_of_one_image_is_two_classes(values: object) -> None:
    values = np.atleast_1d(values)
    np.testing.assert_array_equal(read(values, rows=1), [[0.75, 0.25]])


def test_the_scores_of_the_only_image_may_come_without_a_batch_axis() -> None:
    np.testing.assert_array_equal(read([0.5, 0.25, 0.25], rows=1), [[0.5, 0.25, 0.25]])


def test_a_single_logit_without_activation_is_refused_with_the_cure() -> None:
    with pytest.raises(BadModelOutput, match="set activation = 'sigmoid'"):
        read([[3.0], [-1.0]], rows=2)


@pytest.mark.parametrize("values", [[[37.5]], [[-12.0], [140.0]]], ids=["age", "temperature"])
def test_a_quantity_that_is_estimated_is_not_only_called_a_logit(values: list[list[float]]) -> None:
    with pytest.raises(BadModelOutput, match="if it is the logit of one class") as refused:
        read(values, rows=len(values))
    assert "a quantity that the model estimates has no class to explain" in str(refused.value)


def test_a_probability_that_overshoots_by_rounding_is_taken() -> None:
    np.testing.assert_allclose(read([[1.00001]], rows=1), [[0, 1]], atol=1e-4)


@pytest.mark.parametrize(
    ("values", "rows"),
    [([[1, 2]], 2), ([[1, 2], [3, 4]], 1), ([1, 2, 3], 2), (np.zeros((2, 0)), 2), (5.0, 1)],
)
def test_a_wrong_number_of_rows_is_refused(values: object, rows: int) -> None:
    with pytest.raises(BadModelOutput, match=r"for \d images"):
        read(values, rows=rows)


def test_another_number_of_classes_than_the_signature_says_is_refused() -> None:
    with pytest.raises(BadModelOutput, match="has 2 classes where 3 are expected"):
        read([[1, 2]], rows=1, class_count=3)


def test_another_number_of_classes_than_before_is_refused() -> None:
    reader = ScoreReader(resolved_model(class_count=None), activation="none")
    reader.read(answer([[1, 2, 3]]), rows=1)
    with pytest.raises(BadModelOutput, match="has 4 classes where 3 are expected"):
        reader.read(answer([[1, 2, 3, 4]]), rows=1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_naming_model_version_and_tensor(bad: float) -> None:
    with pytest.raises(BadModelOutput) as caught:
        read([[1, bad]], rows=1)
    assert caught.value.detail == (
        "The output 'scores' of model 'colours', version 3, holds NaN or infinity."
    )


def test_an_answer_without_the_tensor_is_refused() -> None:
    reader = ScoreReader(resolved_model(), activation="none")
    with pytest.raises(BadModelOutput, match=r"'scores' .* is missing"):
        reader.read(answer([[1, 2, 3]], name="logits"), rows=1)


def test_an_answer_that_does_not_tell_its_version_is_refused() -> None:
    reader = ScoreReader(resolved_model(), activation="none")
    response = answer([[1, 2, 3]])
    response.ClearField("model_spec")
    with pytest.raises(BadModelOutput, match="answered as version unknown"):
        reader.read(response, rows=1)
