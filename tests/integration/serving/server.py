"""A model server in this process: real gRPC, TensorFlow Serving's paths, behaviour by the test."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
import numpy as np
from grpc import StatusCode

from worker.serving import tensors
from worker.serving.stubs.model_pb2 import ModelSpec, SignatureDef, SignatureDefMap, TensorInfo
from worker.serving.stubs.model_service_pb2 import GetModelStatusRequest, GetModelStatusResponse
from worker.serving.stubs.prediction_service_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    PredictRequest,
    PredictResponse,
)
from worker.serving.stubs.tensor_pb2 import DataType, TensorProto, TensorShapeProto

LOOPBACK = "127.0.0.1"
AVAILABLE, END = 30, 50
HEIGHT, WIDTH, CLASSES = 4, 6, 3


def tensor_info(dtype: int, *sizes: int) -> TensorInfo:
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes])
    return TensorInfo(name="in_the_graph:0", dtype=dtype, tensor_shape=shape)


def image_signature(
    *,
    image: TensorInfo | None = None,
    scores: TensorInfo | None = None,
) -> SignatureDef:
    """(n, 4, 6, 3) float32 to (n, 3), and an output that nobody should ask for."""
    return SignatureDef(
        inputs={"image": image or tensor_info(DataType.DT_FLOAT, -1, HEIGHT, WIDTH, 3)},
        outputs={
            "scores": scores or tensor_info(DataType.DT_FLOAT, -1, CLASSES),
            "features": tensor_info(DataType.DT_FLOAT, -1, 1280),
        },
        method_name="tensorflow/serving/predict",
    )


def array_of(tensor: TensorProto) -> np.ndarray:
    dtype = np.uint8 if tensor.dtype == DataType.DT_UINT8 else np.float32
    return np.frombuffer(tensor.tensor_content, dtype).reshape(
        [dim.size for dim in tensor.tensor_shape.dim]
    )


def channel_sums(tensor: TensorProto) -> TensorProto:
    """Score each class by the sum of one colour."""
    return tensors.from_array(array_of(tensor).sum(axis=(1, 2), dtype=np.float32))


@dataclass
class Serving:
    """What the server serves and how it misbehaves.

    ``not_loaded`` are versions that could not be loaded, with the reason; ``faults`` are spent one
    a Predict call, ``metadata_faults`` one a GetModelMetadata call; ``beside`` makes further
    outputs, where they are asked for; ``on_predict`` runs before the answer and may wait. ``seen``
    keeps every Predict request.
    """

    versions: dict[int, SignatureDef] = field(default_factory=lambda: {3: image_signature()})
    labels: dict[str, int] = field(default_factory=dict)
    not_loaded: dict[int, str] = field(default_factory=dict)
    max_batch: int | None = None
    answer: Callable[[TensorProto], TensorProto] = channel_sums
    beside: dict[str, Callable[[TensorProto], TensorProto]] = field(default_factory=dict)
    faults: deque[tuple[StatusCode, str]] = field(default_factory=deque)
    metadata_faults: deque[tuple[StatusCode, str]] = field(default_factory=deque)
    on_predict: Callable[[PredictRequest, grpc.ServicerContext], None] = lambda *_: None
    answers_as: int | None = None
    seen: list[PredictRequest] = field(default_factory=list)
    sent_metadata: list[dict[str, str]] = field(default_factory=list)
    busy: int = 0
    most_busy: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def predict(self, request: PredictRequest, context: grpc.ServicerContext) -> PredictResponse:
        with self._lock:
            self.seen.append(request)
            self.sent_metadata.append(dict(context.invocation_metadata()))
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
        try:
            return self._predict(request, context)
        finally:
            with self._lock:
                self.busy -= 1

    def _predict(self, request: PredictRequest, context: grpc.ServicerContext) -> PredictResponse:
        if self.faults:
            context.abort(*self.faults.popleft())
        self.on_predict(request, context)
        version = self._version(request.model_spec, context)
        rows = request.inputs["image"].tensor_shape.dim[0].size
        if self.max_batch is not None and rows > self.max_batch:
            context.abort(
                StatusCode.INVALID_ARGUMENT,
                f"Task size {rows} is larger than maximum input batch size {self.max_batch}",
            )
        image = request.inputs["image"]
        response = PredictResponse(outputs={"scores": self.answer(image)})
        for name in set(request.output_filter) & self.beside.keys():
            response.outputs[name].CopyFrom(self.beside[name](image))
        response.model_spec.version.value = self.answers_as or version
        return response

    def metadata(
        self, request: GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> GetModelMetadataResponse:
        if self.metadata_faults:
            context.abort(*self.metadata_faults.popleft())
        version = self._version(request.model_spec, context)
        response = GetModelMetadataResponse()
        response.model_spec.version.value = version
        packed = response.metadata["signature_def"]
        packed.type_url = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
        packed.value = SignatureDefMap(
            signature_def={"serving_default": self.versions[version]}
        ).SerializeToString()
        return response

    def status(self, request: GetModelStatusRequest, _: object) -> GetModelStatusResponse:
        response = GetModelStatusResponse()
        for version in self.versions:
            response.model_version_status.add(version=version, state=AVAILABLE)
        for version, reason in self.not_loaded.items():
            failed = response.model_version_status.add(version=version, state=END)
            failed.status.error_message = reason
        return response

    def _version(self, spec: ModelSpec, context: grpc.ServicerContext) -> int:
        version = max(self.versions, default=0)
        if spec.HasField("version"):
            version = spec.version.value
        elif spec.version_label:
            if spec.version_label not in self.labels:
                context.abort(StatusCode.INVALID_ARGUMENT, "Unrecognized servable version label")
            version = self.labels[spec.version_label]
        if version not in self.versions:
            context.abort(StatusCode.NOT_FOUND, f"Servable not found for request: {spec.name}")
        return version

    def hang(self, *_: object) -> None:
        """Use as ``on_predict``: wait until the test lets go, at most a minute."""
        self.released.wait(60)

    def wait_until(self, condition: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
        """Wait for what another thread does."""
        until = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < until, "it did not happen in time"
            time.sleep(0.005)


@contextmanager
def running(
    serving: Serving,
    *,
    host: str = LOOPBACK,
    port: int = 0,
    credentials: grpc.ServerCredentials | None = None,
    max_message_bytes: int = -1,
) -> Iterator[int]:
    """Serve on loopback; give the port."""
    options = [
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", max_message_bytes),
    ]
    server = grpc.server(ThreadPoolExecutor(max_workers=8), options=options)
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "tensorflow.serving.PredictionService",
                {
                    "Predict": _handler(serving.predict, PredictRequest),
                    "GetModelMetadata": _handler(serving.metadata, GetModelMetadataRequest),
                },
            ),
            grpc.method_handlers_generic_handler(
                "tensorflow.serving.ModelService",
                {"GetModelStatus": _handler(serving.status, GetModelStatusRequest)},
            ),
        )
    )
    address = f"{host}:{port}"
    bound = (
        server.add_secure_port(address, credentials)
        if credentials
        else server.add_insecure_port(address)
    )
    server.start()
    try:
        yield bound
    finally:
        serving.released.set()
        server.stop(grace=None).wait(10)


def _handler(method: Callable, request: type) -> grpc.RpcMethodHandler:
    return grpc.unary_unary_rpc_method_handler(
        method,
        request_deserializer=request.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )
