"""A model server that is quick to start and does what a test tells it: hang, fail, reload.

It speaks TensorFlow Serving's protocol and scores images by the brightness of their quadrants, as
``tests.unit.fakes`` does. That our messages are TensorFlow Serving's is proven elsewhere; here it
is the worker that is tested.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
from google.protobuf.any_pb2 import Any as AnyMessage

from tests.unit.fakes import quadrant_scores
from worker.serving.stubs.model_pb2 import (
    ModelSpec,
    SignatureDef,
    SignatureDefMap,
    TensorInfo,
)
from worker.serving.stubs.prediction_service_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    PredictRequest,
    PredictResponse,
)
from worker.serving.stubs.tensor_pb2 import DataType, TensorProto, TensorShapeProto

NAME = "quadrants"
SIDE = 32


class QuadrantServer:
    """Serves one model on a free port of loopback.

    Parameters
    ----------
    name : str
    classes : int
        How many outputs there are.
    places : tuple of int
        Which of them score the four quadrants; all others are 0.

    Attributes
    ----------
    version : int
        The one that is served; another asked for is NOT_FOUND.
    delay_s : float
        What each Predict call takes.
    most_rows : int or None
        Calls with more images are refused as TensorFlow Serving does.
    answers_nan : bool
        Whether every score is NaN.
    predicted : int
        Predict calls answered.
    """

    def __init__(
        self, *, name: str = NAME, classes: int = 4, places: tuple[int, ...] = (0, 1, 2, 3)
    ) -> None:
        self.name, self._classes, self._places = name, classes, list(places)
        self._released = threading.Event()
        self.predicted = 0
        self.reset()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=8))
        self._server.add_generic_rpc_handlers((self._handlers(),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> QuadrantServer:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._server.stop(grace=0.5).wait()

    def hang(self) -> None:
        """Answer no Predict call until ``release``."""
        self._released.clear()

    def release(self) -> None:
        """Answer again, also those that wait."""
        self._released.set()

    def reset(self) -> None:
        """Be a sound server of version 1 again."""
        self.version, self.delay_s, self.predicted = 1, 0.0, 0
        self.most_rows: int | None = None
        self.answers_nan = False
        self.release()

    def profile(self) -> str:
        """This model's table in a models file."""
        return (
            f'[models.{self.name}]\naddress = "dns:///127.0.0.1:{self.port}"\nmax_batch_size = 16\n'
        )

    def _handlers(self) -> Any:
        return grpc.method_handlers_generic_handler(
            "tensorflow.serving.PredictionService",
            {
                "Predict": grpc.unary_unary_rpc_method_handler(
                    self._predict,
                    request_deserializer=PredictRequest.FromString,
                    response_serializer=PredictResponse.SerializeToString,
                ),
                "GetModelMetadata": grpc.unary_unary_rpc_method_handler(
                    self._metadata,
                    request_deserializer=GetModelMetadataRequest.FromString,
                    response_serializer=GetModelMetadataResponse.SerializeToString,
                ),
            },
        )

    def _predict(self, request: PredictRequest, context: Any) -> PredictResponse:
        version = self._version(request.model_spec, context)
        self._released.wait(60)
        time.sleep(self.delay_s)
        tensor = request.inputs["image"]
        shape = [dim.size for dim in tensor.tensor_shape.dim]
        if self.most_rows is not None and shape[0] > self.most_rows:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"Task size {shape[0]} is larger than maximum input batch size {self.most_rows}",
            )
        images = np.frombuffer(tensor.tensor_content, np.uint8).reshape(shape)
        scores = np.zeros((len(images), self._classes), np.float32)
        scores[:, self._places] = quadrant_scores(images)
        if self.answers_nan:
            scores[:] = np.nan
        self.predicted += 1
        return PredictResponse(
            model_spec=self._spec(version),
            outputs={
                "scores": TensorProto(
                    dtype=DataType.DT_FLOAT,
                    tensor_shape=_shape(*scores.shape),
                    float_val=scores.ravel().tolist(),
                )
            },
        )

    def _metadata(self, request: GetModelMetadataRequest, context: Any) -> GetModelMetadataResponse:
        version = self._version(request.model_spec, context)
        signature = SignatureDef(
            inputs={"image": _info(DataType.DT_UINT8, -1, SIDE, SIDE, 3)},
            outputs={"scores": _info(DataType.DT_FLOAT, -1, self._classes)},
            method_name="tensorflow/serving/predict",
        )
        packed = AnyMessage(
            type_url="type.googleapis.com/tensorflow.serving.SignatureDefMap",
            value=SignatureDefMap(signature_def={"serving_default": signature}).SerializeToString(),
        )
        return GetModelMetadataResponse(
            model_spec=self._spec(version), metadata={"signature_def": packed}
        )

    def _version(self, spec: ModelSpec, context: Any) -> int:
        """The version that answers, as it is now: it may be replaced before the answer."""
        served = self.version
        asked = spec.version.value if spec.HasField("version") else served
        if spec.name != self.name or asked != served:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {spec}")
        return served

    def _spec(self, version: int) -> ModelSpec:
        spec = ModelSpec(name=self.name, signature_name="serving_default")
        spec.version.value = version
        return spec


def _shape(*sizes: int) -> TensorShapeProto:
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes])


def _info(dtype: int, *sizes: int) -> TensorInfo:
    return TensorInfo(name="tensor:0", dtype=dtype, tensor_shape=_shape(*sizes))
