from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import grpc
import numpy as np
import pytest
from grpc import StatusCode

from tests.integration.serving.conftest import MakeModel
from tests.integration.serving.server import HEIGHT, LOOPBACK, WIDTH, Serving, running
from worker.serving import errors, tensors
from worker.serving.model import ServedModel
from worker.serving.predictor import Predictor

pytestmark = pytest.mark.integration

IMAGES = np.zeros((2, HEIGHT, WIDTH, 3), np.uint8)
SECRET_WORDS = "failed at ipv4:10.9.8.7:8500 in /srv/models"


def predictor_of(model: ServedModel, *, deadline_s: float = 10) -> Predictor:
    return model.predictor(model.resolve(None, timeout_s=5), deadline_s=deadline_s)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("code", "kind", "retryable"),
    [
        (StatusCode.UNAVAILABLE, errors.PredictorUnavailable, True),
        (StatusCode.RESOURCE_EXHAUSTED, errors.PredictorUnavailable, True),
        (StatusCode.NOT_FOUND, errors.ModelVersionGone, False),
        (StatusCode.DEADLINE_EXCEEDED, errors.PredictorDeadline, True),
        (StatusCode.INVALID_ARGUMENT, errors.PredictorRejected, False),
        (StatusCode.FAILED_PRECONDITION, errors.PredictorRejected, False),
        (StatusCode.UNAUTHENTICATED, errors.PredictorRejected, False),
        (StatusCode.PERMISSION_DENIED, errors.PredictorRejected, False),
        (StatusCode.UNIMPLEMENTED, errors.PredictorRejected, False),
        (StatusCode.CANCELLED, errors.PredictorUnavailable, True),
        (StatusCode.INTERNAL, errors.PredictorUnavailable, True),
    ],
)
def test_each_status_becomes_an_error_of_ours_that_tells_no_address(
    model: ServedModel,
    serving: Serving,
    code: StatusCode,
    kind: type[errors.PredictorError],
    retryable: bool,
) -> None:
    predictor = predictor_of(model)
    serving.faults.extend([(code, SECRET_WORDS)] * 1000)
    with pytest.raises(kind, match="'colours'") as caught:
        list(predictor([IMAGES]))
    error = caught.value
    assert (error.grpc_status, error.retryable) == (code.name, retryable)
    assert "10.9.8.7" not in str(error)
    assert "/srv" not in str(error)
    assert error.context == SECRET_WORDS


@pytest.mark.parametrize(
    "code", [StatusCode.UNAVAILABLE, StatusCode.RESOURCE_EXHAUSTED, StatusCode.NOT_FOUND]
)
def test_what_can_pass_is_tried_again_while_other_calls_go_on(
    model: ServedModel, serving: Serving, code: StatusCode
) -> None:
    predictor = predictor_of(model)
    serving.faults.extend([(code, "for a moment")] * 3)
    assert len(list(predictor([IMAGES] * 4))) == 4
    assert (predictor.calls, predictor.retries) == (7, 3)


@pytest.mark.parametrize(
    "code", [StatusCode.INVALID_ARGUMENT, StatusCode.INTERNAL, StatusCode.DEADLINE_EXCEEDED]
)
def test_what_cannot_pass_is_not_tried_again(
    model: ServedModel, serving: Serving, code: StatusCode
) -> None:
    predictor = predictor_of(model)
    serving.faults.append((code, "for good"))
    with pytest.raises(errors.PredictorError):
        list(predictor([IMAGES]))
    assert (predictor.calls, predictor.retries) == (1, 0)


def test_resolving_is_tried_again_too(model: ServedModel, serving: Serving) -> None:
    serving.metadata_faults.append((StatusCode.UNAVAILABLE, "labels not yet assigned"))
    assert model.resolve(None, timeout_s=5).version == 3


def test_a_model_that_stays_away_is_given_up_sooner_than_a_server_that_does(
    model: ServedModel, serving: Serving
) -> None:
    serving.versions = {}
    started = time.monotonic()
    with pytest.raises(errors.PredictorUnavailable):
        model.resolve(None, timeout_s=5)
    assert 0.25 < time.monotonic() - started < 1.5


def test_a_call_that_hangs_ends_at_the_deadline_of_the_profile(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    predictor = predictor_of(make_model(port, deadline_s=0.3))
    serving.on_predict = serving.hang
    started = time.monotonic()
    with pytest.raises(errors.PredictorDeadline) as caught:
        list(predictor([IMAGES]))
    assert time.monotonic() - started < 2
    assert caught.value.grpc_status == "DEADLINE_EXCEEDED"


def test_all_calls_together_end_at_the_deadline_of_the_job(
    model: ServedModel, serving: Serving
) -> None:
    predictor = predictor_of(model, deadline_s=0.6)
    serving.on_predict = lambda *_: time.sleep(0.25)
    started = time.monotonic()
    with pytest.raises(errors.PredictorDeadline):
        for _ in predictor([IMAGES] * 50):
            pass
    assert time.monotonic() - started < 2


def test_a_batch_that_is_built_after_the_deadline_is_not_sent(
    model: ServedModel, serving: Serving
) -> None:
    predictor = predictor_of(model, deadline_s=0.1)

    def batches():
        time.sleep(0.2)
        yield IMAGES

    with pytest.raises(errors.PredictorDeadline, match="longer than the job may take"):
        list(predictor(batches()))
    assert serving.seen == []


def test_a_server_that_is_down_is_unavailable_and_its_address_is_told_to_the_log_only(
    make_model: MakeModel, free_port: int
) -> None:
    started = time.monotonic()
    with pytest.raises(errors.PredictorUnavailable, match="cannot be reached") as caught:
        make_model(free_port).resolve(None, timeout_s=1.0)
    assert time.monotonic() - started < 2
    assert caught.value.grpc_status == "UNAVAILABLE"
    assert str(free_port) not in caught.value.detail
    assert str(free_port) in caught.value.context


def test_calls_go_on_once_a_restarted_server_is_back(
    make_model: MakeModel, serving: Serving, free_port: int
) -> None:
    again = Serving()
    with running(serving, port=free_port):
        predictor = predictor_of(make_model(free_port))
        assert len(list(predictor([IMAGES]))) == 1
    with ExitStack() as stack:
        back = threading.Timer(0.4, lambda: stack.enter_context(running(again, port=free_port)))
        back.start()
        assert len(list(predictor([IMAGES]))) == 1
        back.join()
    assert len(again.seen) == 1
    assert predictor.retries > 0


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ([[1, 2, float("nan")], [1, 2, 3]], "holds NaN or infinity"),
        ([[1, 2, float("inf")], [1, 2, 3]], "holds NaN or infinity"),
        ([[1, 2, 3]], r"has the shape \[1, 3\] for 2 images"),
        ([[1, 2, 3]] * 3, r"has the shape \[3, 3\] for 2 images"),
        ([[1, 2, 3, 4]] * 2, "has 4 classes where 3 are expected"),
        ([[[1, 2, 3]]] * 2, r"has the shape \[2, 1, 3\]"),
    ],
)
def test_an_answer_that_cannot_be_scores_is_refused_naming_model_and_tensor(
    model: ServedModel, serving: Serving, answer: list, complaint: str
) -> None:
    serving.answer = lambda _: tensors.from_array(np.array(answer, np.float32))
    with pytest.raises(errors.BadModelOutput, match=complaint) as caught:
        list(predictor_of(model)([IMAGES]))
    assert "'colours'" in caught.value.detail
    assert "'scores'" in caught.value.detail
    assert not caught.value.retryable


class Stopped(Exception):
    """A reason to stop, as the heartbeat has them."""


def stop_after(seconds: float) -> Callable[[], None]:
    began = time.monotonic()

    def checkpoint() -> None:
        if time.monotonic() - began > seconds:
            raise Stopped

    return checkpoint


def test_a_reason_to_stop_ends_the_wait_for_a_server_that_hangs_and_cancels_the_call(
    model: ServedModel, serving: Serving
) -> None:
    canceled = threading.Event()

    def hang(request: object, context: grpc.ServicerContext) -> None:
        context.add_callback(canceled.set)
        serving.hang()

    serving.on_predict = hang
    resolved = model.resolve(None, timeout_s=5)
    predictor = model.predictor(resolved, deadline_s=30, checkpoint=stop_after(0.3))
    began = time.monotonic()
    with pytest.raises(Stopped):
        list(predictor([IMAGES]))
    assert time.monotonic() - began < 2
    assert canceled.wait(timeout=5)
    serving.released.set()


def test_a_reason_to_stop_ends_the_retries_of_a_server_that_is_away(
    make_model: MakeModel, free_port: int
) -> None:
    began = time.monotonic()
    with pytest.raises(Stopped):
        make_model(free_port).resolve(None, timeout_s=30, checkpoint=stop_after(0.3))
    assert time.monotonic() - began < 2
