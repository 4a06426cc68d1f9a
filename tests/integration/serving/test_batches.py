from __future__ import annotations

import threading

import grpc
import numpy as np
import pytest

from tests.integration.serving.conftest import MakeModel
from tests.integration.serving.server import (
    CLASSES,
    HEIGHT,
    WIDTH,
    Serving,
    image_signature,
    running,
    tensor_info,
)
from worker.serving import tensors
from worker.serving.errors import PredictorRejected
from worker.serving.model import CallRecord, ServedModel
from worker.serving.predictor import Predictor
from worker.serving.stubs.prediction_service_pb2 import PredictRequest
from worker.serving.stubs.tensor_pb2 import DataType

pytestmark = pytest.mark.integration


def images(rows: int, *, first: int = 0) -> np.ndarray:
    """Each image has one colour, told by its number."""
    numbers = np.arange(first, first + rows, dtype=np.uint8)
    return np.broadcast_to(
        numbers[:, None, None, None] + np.arange(3, dtype=np.uint8), (rows, HEIGHT, WIDTH, 3)
    ).copy()


def sums(batch: np.ndarray) -> np.ndarray:
    return batch.sum(axis=(1, 2), dtype=np.float64)


def predictor_of(model: ServedModel) -> Predictor:
    return model.predictor(model.resolve(None, timeout_s=5), deadline_s=20)


def test_scores_come_in_order_though_one_buffer_is_used_for_all_batches(
    model: ServedModel,
) -> None:
    buffer = np.empty((4, HEIGHT, WIDTH, 3), np.uint8)

    def batches():
        for number in range(6):
            buffer[:] = images(4, first=10 * number)
            yield buffer

    scores = list(predictor_of(model)(batches()))
    assert len(scores) == 6
    assert {one.dtype for one in scores} == {np.dtype(np.float64)}
    for number, one in enumerate(scores):
        np.testing.assert_array_equal(one, sums(images(4, first=10 * number)))


def test_nothing_in_is_nothing_out(model: ServedModel, serving: Serving) -> None:
    predictor = predictor_of(model)
    assert list(predictor([])) == []
    assert (predictor.calls, serving.seen) == (0, [])


def test_the_next_batch_is_built_while_as_many_as_allowed_are_in_flight(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    predictor = predictor_of(make_model(port, max_in_flight=2))
    taken = 0

    def batches():
        nonlocal taken
        for number in range(5):
            taken += 1
            yield images(2, first=number)

    serving.on_predict = serving.hang
    scores: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: scores.extend(predictor(batches())))
    thread.start()
    serving.wait_until(lambda: taken == 3 and serving.busy == 2)
    assert scores == []
    serving.released.set()
    thread.join(10)
    assert len(scores) == 5
    assert serving.most_busy == 2


def test_a_batch_above_the_limit_of_the_profile_takes_several_calls(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    predictor = predictor_of(make_model(port, max_batch_size=4))
    assert predictor.batch_size == 4
    batch = images(10)
    (scores,) = predictor([batch])
    np.testing.assert_array_equal(scores, sums(batch))
    assert sorted(len_of(request) for request in serving.seen) == [3, 3, 4]


def test_few_images_are_one_call_even_where_a_model_is_spared(
    model: ServedModel, serving: Serving
) -> None:
    model.pace.images = 1
    predictor = predictor_of(model)
    batches = [images(3), images(2), images(5)]
    for batch, scores in zip(batches, predictor(iter(batches)), strict=True):
        np.testing.assert_array_equal(scores, sums(batch))
    assert [len_of(request) for request in serving.seen] == [3, 2, *[1] * 5]


def test_few_images_are_no_call_above_the_limit_of_the_profile(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    batch = images(3)
    (scores,) = predictor_of(make_model(port, max_batch_size=1))([batch])
    np.testing.assert_array_equal(scores, sums(batch))
    assert [len_of(request) for request in serving.seen] == [1, 1, 1]


def test_a_call_too_large_for_the_server_is_halved_and_that_is_remembered_for_the_model(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    serving.max_batch = 5
    model = make_model(port, max_batch_size=16, max_in_flight=3)
    predictor = predictor_of(model)
    batches = [images(16, first=number) for number in range(4)]
    for scores, batch in zip(predictor(batches), batches, strict=True):
        np.testing.assert_array_equal(scores, sums(batch))
    assert predictor.batch_size == 4
    assert predictor_of(model).batch_size == 4
    assert model.resolve(None, timeout_s=5).batch_size == 4

    serving.seen.clear()
    list(predictor_of(model)([images(4)]))
    assert [len_of(request) for request in serving.seen] == [4]


def test_a_message_too_large_for_the_server_is_halved(
    make_model: MakeModel, serving: Serving
) -> None:
    batch = images(16)
    with running(serving, max_message_bytes=batch[:5].nbytes * 4) as port:
        predictor = predictor_of(make_model(port))
        (scores,) = predictor([batch])
        np.testing.assert_array_equal(scores, sums(batch))
        assert predictor.batch_size == 4


def test_encoded_pictures_are_halved_too(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    serving.versions = {3: image_signature(image=tensor_info(DataType.DT_STRING, -1))}
    serving.max_batch = 2
    serving.answer = one_hot_by_size
    predictor = predictor_of(make_model(port, input_size=(HEIGHT, WIDTH)))
    (scores,) = predictor([images(7)])
    assert scores.shape == (7, CLASSES)
    assert predictor.batch_size == 1


def test_one_image_that_is_too_large_is_rejected_with_the_cure(
    make_model: MakeModel, serving: Serving
) -> None:
    with running(serving, max_message_bytes=100) as port:
        predictor = predictor_of(make_model(port))
        with pytest.raises(PredictorRejected, match="accept larger messages"):
            list(predictor([images(2)]))


def test_closing_the_scores_cancels_what_is_in_flight(model: ServedModel, serving: Serving) -> None:
    cancelled = threading.Semaphore(0)

    def wait_for_the_end(request: PredictRequest, context: grpc.ServicerContext) -> None:
        # Told by its pixels: a second call may arrive before the first is looked at here.
        if tensors.to_floats(request.inputs["image"]).min() > 0:
            context.add_callback(cancelled.release)
            serving.hang()

    serving.on_predict = wait_for_the_end
    scores = predictor_of(model)(images(2, first=number) for number in range(9))
    next(scores)
    serving.wait_until(lambda: serving.busy == 2)
    scores.close()
    assert cancelled.acquire(timeout=5)
    assert cancelled.acquire(timeout=5)


def test_calls_are_cancelled_when_the_producer_fails(model: ServedModel, serving: Serving) -> None:
    cancelled = threading.Event()

    def wait_for_the_end(_: object, context: grpc.ServicerContext) -> None:
        context.add_callback(cancelled.set)
        serving.hang()

    def batches():
        yield images(2)
        serving.wait_until(lambda: serving.busy == 1)
        raise RuntimeError("the lease is lost")

    serving.on_predict = wait_for_the_end
    with pytest.raises(RuntimeError, match="the lease is lost"):
        list(predictor_of(model)(batches()))
    assert cancelled.wait(5)


def test_every_call_is_told_to_the_observer(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    records: list[CallRecord] = []
    serving.faults.append((grpc.StatusCode.UNAVAILABLE, "queue full"))
    serving.on_predict = lambda *_: threading.Event().wait(0.05)
    model = make_model(port, observe=records.append)
    list(predictor_of(model)([images(3)]))
    assert [(one.method, one.rows, one.status) for one in records] == [
        ("GetModelMetadata", 0, "OK"),
        ("Predict", 3, "UNAVAILABLE"),
        ("Predict", 3, "OK"),
    ]
    assert {one.model for one in records} == {"colours"}
    assert 0.05 <= records[2].seconds < 5


def len_of(request) -> int:
    return request.inputs["image"].tensor_shape.dim[0].size


def one_hot_by_size(tensor):
    return tensors.from_array(np.eye(CLASSES, dtype=np.float32)[[0] * len(tensor.string_val)])
