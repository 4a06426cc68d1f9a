"""What a proxy before the model server answers in its place."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from grpc import StatusCode

from tests.integration.serving.conftest import MakeModel
from tests.integration.serving.server import HEIGHT, WIDTH, Serving, image_signature, tensor_info
from tests.support.nginx import before_grpc
from worker.serving.errors import PredictorError, PredictorRejected, PredictorUnavailable
from worker.serving.model import ServedModel
from worker.serving.predictor import Predictor
from worker.serving.stubs.tensor_pb2 import DataType

pytestmark = pytest.mark.integration

IMAGES = np.zeros((2, HEIGHT, WIDTH, 3), np.uint8)
# As float32 an image of this side takes 48 kB.
SIDE = 64


def predictor_of(model: ServedModel) -> Predictor:
    return model.predictor(model.resolve(None, timeout_s=5), deadline_s=10)


def pass_on(port: int, *, limit: str = "1m") -> str:
    return f"client_max_body_size {limit}; location / {{ grpc_pass grpc://127.0.0.1:{port}; }}"


@pytest.fixture
def large(serving: Serving) -> Serving:
    image = tensor_info(DataType.DT_FLOAT, -1, SIDE, SIDE, 3)
    serving.versions = {3: image_signature(image=image)}
    return serving


@pytest.mark.parametrize(("limit", "most"), [("120k", 2), ("60k", 1), ("500k", 8)])
def test_calls_get_as_small_as_a_proxy_takes_them(
    make_model: MakeModel, large: Serving, port: int, tmp_path: Path, limit: str, most: int
) -> None:
    rng = np.random.default_rng(0)
    batch = rng.integers(0, 256, (16, SIDE, SIDE, 3), dtype=np.uint8)
    with before_grpc(tmp_path, pass_on(port, limit=limit)) as before:
        model = make_model(before, max_batch_size=16)
        predictor = predictor_of(model)
        found = list(predictor([batch, batch]))
        assert predictor.batch_size == most
        np.testing.assert_allclose(found[0], batch.sum(axis=(1, 2)), rtol=1e-6)
        np.testing.assert_array_equal(found[0], found[1])
        # What one job found out, the next knows.
        calls = len(large.seen)
        again = predictor_of(model)
        list(again([batch]))
        assert len(large.seen) - calls == again.calls == 16 // most


def test_an_image_that_is_too_large_for_a_proxy_is_told_with_its_limit(
    make_model: MakeModel, large: Serving, port: int, tmp_path: Path
) -> None:
    with before_grpc(tmp_path, pass_on(port, limit="20k")) as before:
        predictor = predictor_of(make_model(before))
        with pytest.raises(PredictorRejected, match="HTTP 413") as caught:
            list(predictor([np.zeros((4, SIDE, SIDE, 3), np.uint8)]))
    assert "proxy-body-size" in caught.value.detail
    assert "client_max_body_size" in caught.value.detail
    assert large.seen == []


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (StatusCode.UNKNOWN, "Payload Too Large"),
        (StatusCode.RESOURCE_EXHAUSTED, "upstream said: Request Entity Too Large"),
        # The limits of gRPC in Go, Java, .NET and Rust, of which proxies and gateways are made.
        (StatusCode.RESOURCE_EXHAUSTED, "grpc: received message larger than max (9 vs. 4)"),
        (StatusCode.RESOURCE_EXHAUSTED, "gRPC message exceeds maximum size 4194304: 4816912"),
        (
            StatusCode.RESOURCE_EXHAUSTED,
            "Received message exceeds the maximum configured message size.",
        ),
        (
            StatusCode.OUT_OF_RANGE,
            "Error, decoded message length too large: found 4816912 bytes, the limit is: 4194304",
        ),
    ],
)
def test_a_proxy_that_says_it_by_grpc_is_understood_too(
    make_model: MakeModel, port: int, serving: Serving, code: StatusCode, text: str
) -> None:
    serving.faults.append((code, text))
    predictor = predictor_of(make_model(port))
    (scores,) = predictor([IMAGES])
    assert len(scores) == 2
    assert predictor.batch_size == 1


@pytest.mark.parametrize(
    ("location", "kind", "words"),
    [
        ("grpc_pass grpc://127.0.0.1:1;", PredictorUnavailable, "HTTP 502.*gets no answer"),
        ("return 503;", PredictorUnavailable, "HTTP 503.*no model server that is ready"),
        ("return 504;", PredictorUnavailable, "HTTP 504.*took longer than it waits"),
        ("return 429;", PredictorUnavailable, "HTTP 429.*rate limit"),
        ("return 500;", PredictorUnavailable, "HTTP 500"),
        ("return 302 https://sign.in/;", PredictorUnavailable, "HTTP 302"),
        ("return 401;", PredictorRejected, "HTTP 401.*wants credentials"),
        ("return 403;", PredictorRejected, "HTTP 403.*denies us access"),
        ("return 404;", PredictorRejected, "HTTP 404.*no way to the model server"),
        ("return 200 '<html>Welcome</html>';", PredictorUnavailable, "a page of its own"),
        ("return 200 '';", PredictorUnavailable, "a page of its own"),
    ],
)
def test_what_a_proxy_answers_is_told_with_its_status_and_the_cure(
    make_model: MakeModel, tmp_path: Path, location: str, kind: type[PredictorError], words: str
) -> None:
    with before_grpc(tmp_path, f"location / {{ {location} }}") as before:
        model = make_model(before)
        with pytest.raises(kind, match=words) as caught:
            model.resolve(None, timeout_s=0.5)
        (problem,) = model.check(timeout_s=0.5)
    assert re.search(words, problem)
    assert "overloaded" not in problem
    assert str(before) not in caught.value.detail
    assert caught.value.retryable is (kind is PredictorUnavailable)


def test_a_server_that_takes_longer_than_a_proxy_waits_is_told_as_that(
    make_model: MakeModel, port: int, serving: Serving, tmp_path: Path
) -> None:
    with before_grpc(tmp_path, f"grpc_read_timeout 1s; {pass_on(port)}") as before:
        predictor = predictor_of(make_model(before))
        serving.on_predict = serving.hang
        with pytest.raises(PredictorUnavailable, match="HTTP 504"):
            list(predictor([IMAGES]))
        serving.released.set()


def test_what_speaks_no_http_2_is_told_as_that(make_model: MakeModel, tmp_path: Path) -> None:
    """A proxy, or TensorFlow Serving's own REST port."""
    with before_grpc(tmp_path, "location / { return 200 'x'; }", http2=False) as before:
        model = make_model(before)
        with pytest.raises(PredictorUnavailable, match="speaks HTTP/1 and not gRPC"):
            model.resolve(None, timeout_s=0.5)
        (problem,) = model.check(timeout_s=0.5)
    assert "8501 is REST" in problem


@pytest.mark.parametrize("code", [StatusCode.UNIMPLEMENTED, StatusCode.PERMISSION_DENIED])
def test_what_a_proxy_says_while_its_routes_change_costs_no_job(
    make_model: MakeModel, port: int, serving: Serving, code: StatusCode
) -> None:
    model = make_model(port)
    serving.metadata_faults.append((code, "Received http2 header with status: 404"))
    predictor = predictor_of(model)
    serving.faults.extend([(code, "Received http2 header with status: 403")] * 3)
    assert len(list(predictor([IMAGES] * 4))) == 4
    assert predictor.retries == 3


def test_an_error_of_the_proxy_itself_is_tried_again(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    predictor = predictor_of(make_model(port))
    serving.faults.append((StatusCode.UNKNOWN, "Received http2 header with status: 500"))
    assert len(list(predictor([IMAGES]))) == 1
    assert predictor.retries == 1
