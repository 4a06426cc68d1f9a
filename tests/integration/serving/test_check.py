from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.integration.serving.conftest import MakeModel
from tests.integration.serving.server import Serving, image_signature, tensor_info
from worker.serving import tensors
from worker.serving.model import ServedModel
from worker.serving.stubs.tensor_pb2 import DataType, TensorProto

pytestmark = pytest.mark.integration


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("red\ngreen\nblue\n")
    return path


def test_a_model_that_fits_its_profile_has_no_problems(
    make_model: MakeModel, port: int, labels: Path
) -> None:
    model = make_model(port, labels=labels)
    assert model.check() == []
    status = model.status()
    assert (status.state, status.problem) == ("available", None)
    assert status.resolved is not None
    assert status.resolved.labels == ("red", "green", "blue")


def test_every_problem_of_a_profile_is_told_at_once_with_its_cure(
    make_model: MakeModel, port: int, serving: Serving, labels: Path
) -> None:
    labels.write_text("red\ngreen\n")
    info = tensor_info(DataType.DT_FLOAT, -1, -1, -1, 3)
    serving.versions = {3: image_signature(image=info)}
    model = make_model(port, labels=labels, output="score")
    problems = model.check()
    assert [problem for problem in problems if "set input_size" in problem]
    assert [problem for problem in problems if "set output to one of" in problem]
    status = model.status()
    assert status.state == "unavailable"
    assert all(problem in (status.problem or "") for problem in problems)


def test_labels_of_another_length_are_a_problem_told_without_a_path(
    make_model: MakeModel, port: int, labels: Path
) -> None:
    labels.write_text("red\ngreen\n")
    (problem,) = make_model(port, labels=labels).check()
    assert "2 names for 3 classes" in problem
    assert str(labels.parent) not in problem


def test_labels_that_cannot_be_read_are_a_problem(
    make_model: MakeModel, port: int, tmp_path: Path
) -> None:
    (problem,) = make_model(port, labels=tmp_path / "gone.txt").check()
    assert "labels file cannot be read" in problem
    assert "gone.txt" not in problem


def test_scores_that_are_none_are_a_problem_that_only_a_trial_finds(
    model: ServedModel, serving: Serving
) -> None:
    serving.answer = lambda _: tensors.from_array(np.full((1, 3), np.nan, np.float32))
    (problem,) = model.check()
    assert "NaN" in problem
    assert model.status().state == "available"


@pytest.mark.parametrize(
    ("scores", "doubt"),
    [
        ([0.1, 0.2, 0.7], None),
        ([-2.5, 0.3, 9.0], "lie between -2.5 and 9, as logits do: set activation = 'softmax'"),
        ([0.9, 0.8, 0.1], "add up to 1.8 instead of 1"),
    ],
)
def test_scores_that_are_no_probabilities_raise_a_doubt_and_are_no_problem(
    make_model: MakeModel, port: int, serving: Serving, scores: list[float], doubt: str | None
) -> None:
    def answer(tensor: TensorProto) -> TensorProto:
        rows = tensor.tensor_shape.dim[0].size
        return tensors.from_array(np.tile(np.array(scores, np.float32), (rows, 1)))

    serving.answer = answer
    model = make_model(port)
    assert model.check() == []
    found = model.doubts()
    assert (found == []) if doubt is None else (doubt in found[0])
    activated = make_model(port, activation="softmax").doubts()
    assert ("holds probabilities already" in activated[0]) if doubt is None else (activated == [])


def test_what_is_served_instead_is_told(make_model: MakeModel, port: int, serving: Serving) -> None:
    serving.versions = {4: image_signature(), 3: image_signature()}
    first, second = make_model(port, version=5).check()
    assert "Version 5" in first
    assert second == "The server has these versions: 3 AVAILABLE, 4 AVAILABLE."
