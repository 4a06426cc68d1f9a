from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import grpc
import numpy as np
import pytest

from tests.integration.serving.conftest import MakeModel
from tests.integration.serving.server import (
    Serving,
    array_of,
    channel_sums,
    image_signature,
    tensor_info,
)
from worker.serving import tensors
from worker.serving.errors import ScoresOfRanks
from worker.serving.model import ServedModel
from worker.serving.probes import probes
from worker.serving.stubs.model_pb2 import TensorInfo
from worker.serving.stubs.prediction_service_pb2 import PredictRequest
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
    assert [problem for problem in problems if "set output = 'scores'" in problem]
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


def test_why_a_version_was_not_loaded_is_told_to_the_operator_alone(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    serving.not_loaded = {7: "Op type not registered\n'Foo' at /models/cats"}
    model = make_model(port, version=7)
    assert model.check()[1] == "The server has these versions: 3 AVAILABLE, 7 END."
    told = model.check(in_full=True)[1]
    assert "7 END (Op type not registered 'Foo' at /models/cats)." in told


def probabilities(tensor: TensorProto) -> np.ndarray:
    logits = array_of(tensor).mean(axis=(1, 2)) / 16
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32)


def order(tensor: TensorProto) -> np.ndarray:
    return np.argsort(-probabilities(tensor), axis=1, kind="stable")


def serve_top(serving: Serving, classes: Callable[[np.ndarray], TensorProto], dtype: int) -> None:
    signature = image_signature()
    signature.outputs["classes"].CopyFrom(tensor_info(dtype, -1, 3))
    serving.versions = {3: signature}
    serving.answer = lambda tensor: tensors.from_array(
        np.take_along_axis(probabilities(tensor), order(tensor), axis=1)
    )
    serving.beside = {"classes": lambda tensor: classes(order(tensor))}


def names(classes: np.ndarray) -> TensorProto:
    made = tensors.from_strings([(b"ant", b"bee", b"cow")[one] for one in classes.ravel()])
    del made.tensor_shape.dim[:]
    for size in classes.shape:
        made.tensor_shape.dim.add(size=size)
    return made


def numbers(classes: np.ndarray) -> TensorProto:
    return tensors.from_array(classes.astype(np.uint8), "int64")


@pytest.mark.parametrize(
    ("classes", "dtype"), [(names, DataType.DT_STRING), (numbers, DataType.DT_INT64)]
)
def test_scores_of_ranks_are_refused_before_a_job_and_within_it(
    model: ServedModel,
    serving: Serving,
    classes: Callable[[np.ndarray], TensorProto],
    dtype: int,
) -> None:
    serve_top(serving, classes, dtype)
    (problem,) = model.check()
    assert "scores of the best 3 classes, sorted, and 'classes' tells which" in problem
    resolved = model.resolve(None, timeout_s=5)
    with pytest.raises(ScoresOfRanks, match="Export a signature"):
        list(model.predictor(resolved, deadline_s=10)([probes(8, resolved)]))


@pytest.mark.parametrize(
    ("dims", "wire"), [((), "int64"), ((1,), "float32"), ((), "uint8"), ((1,), "int32")]
)
def test_the_score_of_the_best_class_is_refused(
    make_model: MakeModel,
    port: int,
    serving: Serving,
    dims: tuple[int, ...],
    wire: Literal["int64", "float32", "uint8", "int32"],
) -> None:
    kind = tensors.from_array(np.zeros(1, np.uint8), wire).dtype
    signature = image_signature(scores=tensor_info(DataType.DT_FLOAT, -1, *dims))
    signature.outputs["class"].CopyFrom(tensor_info(kind, -1))
    serving.versions = {3: signature}
    serving.answer = lambda tensor: tensors.from_array(
        probabilities(tensor).max(axis=1).reshape(-1, *dims)
    )
    serving.beside = {
        "class": lambda tensor: tensors.from_array(order(tensor)[:, 0].astype(np.uint8), wire)
    }
    (problem,) = make_model(port, output="scores").check()
    assert "score of the best class, and 'class' tells which" in problem


def test_a_decision_beside_the_probability_that_it_follows_is_no_reason(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    signature = image_signature(scores=tensor_info(DataType.DT_FLOAT, -1, 1))
    signature.outputs["class"].CopyFrom(tensor_info(DataType.DT_INT64, -1))
    serving.versions = {3: signature}
    serving.answer = lambda tensor: tensors.from_array(probabilities(tensor)[:, :1])
    serving.beside = {
        "class": lambda tensor: numbers((probabilities(tensor)[:, 0] > 0.3).astype(np.int64))
    }
    model = make_model(port, output="scores")
    assert model.check() == model.doubts() == []


def test_a_job_whose_images_are_all_alike_is_refused_too(
    model: ServedModel, serving: Serving
) -> None:
    serve_top(serving, names, DataType.DT_STRING)
    resolved = model.resolve(None, timeout_s=5)
    alike = np.repeat(probes(3, resolved)[2:], 4, axis=0)
    with pytest.raises(ScoresOfRanks):
        list(model.predictor(resolved, deadline_s=10)([alike]))


def test_images_are_tried_once_in_a_process_where_there_is_a_doubt(
    model: ServedModel, serving: Serving
) -> None:
    serve_top(serving, names, DataType.DT_STRING)
    # The same answer to every image tells nothing.
    serving.answer = lambda tensor: tensors.from_array(
        np.tile(np.array([0.5, 0.3, 0.2], np.float32), (len(array_of(tensor)), 1))
    )
    serving.beside = {"classes": lambda tensor: names(np.tile([0, 1, 2], (len(order(tensor)), 1)))}
    resolved = model.resolve(None, timeout_s=5)
    calls = []
    for _ in range(2):
        list(model.predictor(resolved, deadline_s=10)([probes(2, resolved)]))
        calls.append(len(serving.seen))
    assert calls == [9, 10]


def test_names_beside_scores_in_a_fixed_order_are_no_reason_and_soon_not_asked_for(
    model: ServedModel, serving: Serving
) -> None:
    serve_top(serving, names, DataType.DT_STRING)
    serving.answer = lambda tensor: tensors.from_array(probabilities(tensor))
    serving.beside = {"classes": lambda tensor: names(np.tile([0, 1, 2], (len(order(tensor)), 1)))}
    assert model.check() == model.doubts() == []
    assert "classes" in serving.seen[0].output_filter
    assert list(serving.seen[-1].output_filter) == ["scores"]


@pytest.mark.parametrize("classes", [4, 6])
def test_scores_that_fall_in_every_image_raise_a_doubt(
    model: ServedModel, serving: Serving, classes: int
) -> None:
    info = tensor_info(DataType.DT_FLOAT, -1, classes)
    serving.versions = {3: image_signature(scores=info)}
    falling = np.linspace(0.4, 0, classes, dtype=np.float32)
    serving.answer = lambda tensor: tensors.from_array(
        np.tile(falling / falling.sum(), (len(array_of(tensor)), 1))
    )
    assert model.check() == []
    assert f"best {classes} classes" in model.doubts()[0]


def test_an_output_that_is_named_like_a_vector_raises_a_doubt_and_no_other(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    serving.beside = {"features": channel_sums}
    model = make_model(port, output="features")
    signature = image_signature()
    signature.outputs["features"].CopyFrom(tensor_info(DataType.DT_FLOAT, -1, 3))
    serving.versions = {3: signature}
    (found,) = model.doubts()
    assert "named 'features'" in found


def take_one(request: PredictRequest, context: grpc.ServicerContext) -> None:
    rows = request.inputs["image"].tensor_shape.dim[0].size
    if rows > 1:
        text = f"Input to reshape is a tensor with {rows * 72} values at 10.0.0.7"
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, text)


def test_a_batch_of_one_within_the_graph_is_cured_by_calls_of_one(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    serving.on_predict = take_one
    (problem,) = make_model(port).check()
    assert "set max_batch_size = 1" in problem
    _, words = make_model(port).check(in_full=True)
    assert words.startswith("The server's own words: Input to reshape")
    cured = make_model(port, max_batch_size=1)
    assert cured.check() == cured.limits() == []


def test_an_output_without_a_batch_axis_is_told_as_that(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    unknown = TensorInfo(dtype=DataType.DT_FLOAT)
    unknown.tensor_shape.unknown_rank = True
    serving.versions = {3: image_signature(scores=unknown)}
    # As many scores as images in a call: each could be taken for an image's.
    serving.answer = lambda _: tensors.from_array(np.full(8, 0.125, np.float32))
    told = make_model(port).check()
    assert "the output has no batch axis" in told[-1]


def test_the_servers_own_words_are_for_the_operator_alone(
    model: ServedModel, serving: Serving
) -> None:
    def refuse(_: PredictRequest, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Invalid character\nat 10.0.0.7")

    serving.on_predict = refuse
    assert "10.0.0.7" not in " ".join(model.check())
    told = model.check(in_full=True)
    assert told[-1] == "The server's own words: Invalid character at 10.0.0.7"
    assert "log" not in told[0]


def test_calls_that_are_refused_as_too_large_are_a_limit_that_is_told(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    serving.max_batch = 5
    model = make_model(port)
    assert model.check() == []
    (limit,) = model.limits()
    assert "more than 4 image(s) are refused as too large" in limit
    assert "set max_batch_size = 4" in limit


def test_a_limit_above_the_first_call_is_found_by_larger_ones(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    serving.max_batch = 20
    model = make_model(port, call_target_ms=10_000)
    assert model.check() == []
    (limit,) = model.limits()
    assert "more than 12 image(s)" in limit
    largest = max(one.inputs["image"].tensor_shape.dim[0].size for one in serving.seen)
    assert largest == 24


def test_calls_grow_no_further_than_jobs_let_them(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    serving.on_predict = lambda *_: time.sleep(0.02)
    model = make_model(port, call_target_ms=1)
    assert model.limits() == []
    assert max(one.inputs["image"].tensor_shape.dim[0].size for one in serving.seen) == 8


def test_a_server_that_is_slow_with_several_images_works_and_is_told(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    def wait(request: PredictRequest, _: grpc.ServicerContext) -> None:
        if request.inputs["image"].tensor_shape.dim[0].size > 1:
            serving.released.wait(10)

    serving.on_predict = wait
    model = make_model(port)
    assert model.check(timeout_s=0.5) == []
    (limit,) = model.limits(timeout_s=0.5)
    assert "A call of 8 images takes longer than 0.5 s" in limit
