"""How images reach the server and scores come back, for each form that a signature may have."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from pydantic import SecretStr

from tests.integration.serving.conftest import MakeModel
from tests.integration.serving.server import (
    HEIGHT,
    WIDTH,
    Serving,
    array_of,
    image_signature,
    tensor_info,
)
from worker.serving import tensors
from worker.serving.model import ServedModel
from worker.serving.stubs.tensor_pb2 import DataType, TensorProto
from worker.telemetry.trace import Trace, working_on

pytestmark = pytest.mark.integration

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (5, HEIGHT, WIDTH, 3), np.uint8)
GREY = RGB[..., :1]


def score(model: ServedModel, batch: np.ndarray) -> np.ndarray:
    predictor = model.predictor(model.resolve(None, timeout_s=5), deadline_s=10)
    (scores,) = predictor([batch])
    return scores


def sent(serving: Serving) -> TensorProto:
    (request,) = serving.seen
    return request.inputs["image"]


def test_float_images_are_preprocessed_as_the_profile_says(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    score(make_model(port, preprocess="tf"), RGB)
    expected = RGB.astype(np.float64) / 127.5 - 1
    np.testing.assert_allclose(array_of(sent(serving)), expected, atol=1e-6)


def test_uint8_images_are_sent_as_they_are(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    info = tensor_info(DataType.DT_UINT8, -1, HEIGHT, WIDTH, 3)
    serving.versions = {3: image_signature(image=info)}
    score(make_model(port), RGB)
    assert len(sent(serving).tensor_content) == RGB.nbytes
    np.testing.assert_array_equal(array_of(sent(serving)), RGB)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(DataType.DT_DOUBLE, 1e-6), (DataType.DT_HALF, 1e-3), (DataType.DT_BFLOAT16, 8e-3)],
)
def test_floats_of_other_sizes_are_preprocessed_and_sent(
    make_model: MakeModel, port: int, serving: Serving, dtype: int, tolerance: float
) -> None:
    info = tensor_info(dtype, -1, HEIGHT, WIDTH, 3)
    serving.versions = {3: image_signature(image=info)}
    serving.answer = lambda tensor: tensors.from_array(
        tensors.to_floats(tensor).sum(axis=(1, 2)).astype(np.float32)
    )
    score(make_model(port, preprocess="torch"), RGB)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = (RGB / 255 - mean) / std
    assert sent(serving).dtype == dtype
    np.testing.assert_allclose(tensors.to_floats(sent(serving)), expected, atol=tolerance)


@pytest.mark.parametrize("dtype", [DataType.DT_INT32, DataType.DT_INT64])
def test_integers_hold_the_pixels_as_they_are(
    make_model: MakeModel, port: int, serving: Serving, dtype: int
) -> None:
    info = tensor_info(dtype, -1, 3, HEIGHT, WIDTH)
    serving.versions = {3: image_signature(image=info)}
    serving.answer = lambda tensor: tensors.from_array(
        tensors.to_names(tensor).sum(axis=(2, 3)).astype(np.float32)
    )
    np.testing.assert_array_equal(score(make_model(port), RGB), RGB.sum(axis=(1, 2)))


@pytest.mark.parametrize("dtype", [DataType.DT_UINT8, DataType.DT_FLOAT])
def test_channels_go_first_where_the_model_wants_them_first(
    make_model: MakeModel, port: int, serving: Serving, dtype: int
) -> None:
    serving.versions = {3: image_signature(image=tensor_info(dtype, -1, 3, HEIGHT, WIDTH))}
    serving.answer = lambda tensor: tensors.from_array(
        array_of(tensor).sum(axis=(2, 3), dtype=np.float32)
    )
    scores = score(make_model(port), RGB)
    np.testing.assert_array_equal(array_of(sent(serving)), RGB.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(scores, RGB.sum(axis=(1, 2)))


@pytest.mark.parametrize("batch", [RGB, GREY], ids=["rgb", "grey"])
def test_a_string_input_gets_one_png_an_image_with_every_pixel_kept(
    make_model: MakeModel, port: int, serving: Serving, batch: np.ndarray
) -> None:
    serving.versions = {3: image_signature(image=tensor_info(DataType.DT_STRING, -1))}
    serving.answer = lambda tensor: tensors.from_array(
        np.zeros((len(tensor.string_val), 3), np.float32)
    )
    model = make_model(port, input_size=(HEIGHT, WIDTH), channels=batch.shape[3])
    score(model, batch)
    assert len(sent(serving).string_val) == len(batch)
    for data, image in zip(sent(serving).string_val, batch, strict=True):
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            decoded = np.asarray(picture).reshape(image.shape)
        np.testing.assert_array_equal(decoded, image)


def test_jpeg_is_sent_when_it_is_asked_for(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    serving.versions = {3: image_signature(image=tensor_info(DataType.DT_STRING, -1))}
    serving.answer = lambda _: tensors.from_array(np.zeros((5, 3), np.float32))
    score(make_model(port, input_size=(HEIGHT, WIDTH), encoding="jpeg"), RGB)
    assert all(data.startswith(b"\xff\xd8") for data in sent(serving).string_val)


def test_a_single_unit_comes_out_as_two_classes(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    serving.versions = {3: image_signature(scores=tensor_info(DataType.DT_FLOAT, -1, 1))}
    serving.answer = lambda _: tensors.from_array(np.full((5, 1), 2.0, np.float32))
    scores = score(make_model(port, activation="sigmoid"), RGB)
    assert scores.shape == (5, 2)
    np.testing.assert_allclose(scores[0], [1 / (1 + np.exp(2.0)), 1 / (1 + np.exp(-2.0))])


def test_typed_fields_are_read_as_well_as_content(model: ServedModel, serving: Serving) -> None:
    values = [0.25, 0.5, 0.25] * 5
    content = tensors.from_array(np.zeros((5, 3), np.float32))
    serving.answer = lambda _: TensorProto(
        dtype=content.dtype, tensor_shape=content.tensor_shape, float_val=values
    )
    np.testing.assert_array_equal(score(model, RGB), np.reshape(values, (5, 3)))


def test_an_answer_above_the_four_mebibytes_of_grpc_is_read(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    classes = 300_000
    serving.versions = {3: image_signature(scores=tensor_info(DataType.DT_FLOAT, -1, classes))}
    answered = np.arange(5 * classes, dtype=np.float32).reshape(5, classes)
    serving.answer = lambda _: tensors.from_array(answered)
    assert answered.nbytes > 4 * 2**20
    np.testing.assert_array_equal(score(make_model(port), RGB), answered)


def test_a_model_of_one_image_a_call_gets_one_image_a_call(
    model: ServedModel, serving: Serving
) -> None:
    info = tensor_info(DataType.DT_FLOAT, 1, HEIGHT, WIDTH, 3)
    serving.versions = {3: image_signature(image=info, scores=tensor_info(DataType.DT_FLOAT, 3))}
    serving.answer = lambda tensor: tensors.from_array(
        array_of(tensor).sum(axis=(0, 1, 2), dtype=np.float32)
    )
    np.testing.assert_array_equal(score(model, RGB), RGB.sum(axis=(1, 2)))
    assert len(serving.seen) == 5


def test_metadata_of_the_profile_goes_with_each_call(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    model = make_model(port, metadata={"authorization": SecretStr("Bearer abc")})
    score(model, RGB)
    assert serving.sent_metadata[0]["authorization"] == "Bearer abc"


def test_each_call_is_a_step_of_the_trace_that_is_worked_on(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    model, trace = make_model(port), Trace.new()
    score(model, RGB)
    with working_on(trace):
        score(model, RGB)
    before, *within = serving.sent_metadata
    sent = [Trace.parse(metadata["traceparent"]) for metadata in within]
    assert "traceparent" not in before
    assert {one.trace_id for one in sent} == {trace.trace_id}
    assert trace.span_id not in {one.span_id for one in sent}
