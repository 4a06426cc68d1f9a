"""The calls that we make, under the names by which TensorFlow Serving knows them.

Our messages live in a protobuf package of our own, so that a process may import TensorFlow's too.
The wire does not carry that package, but a method's path carries the service's. This is why the
paths stand here, and why protoc does not generate the service stubs.
"""

from __future__ import annotations

from typing import Any

import grpc

from worker.serving.stubs.model_service_pb2 import GetModelStatusRequest, GetModelStatusResponse
from worker.serving.stubs.prediction_service_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    PredictRequest,
    PredictResponse,
)

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GET_MODEL_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
GET_MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"

# A grpc.UnaryUnaryMultiCallable: call it to wait, or its ``future`` to go on. grpc has no types.
Method = Any


class ServingStub:
    """TensorFlow Serving behind one channel.

    Attributes
    ----------
    predict, get_model_metadata, get_model_status : grpc.UnaryUnaryMultiCallable
        Each takes the request, serialised or not, ``timeout`` in seconds and ``metadata``.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self.predict = _method(channel, PREDICT, PredictRequest, PredictResponse)
        self.get_model_metadata = _method(
            channel, GET_MODEL_METADATA, GetModelMetadataRequest, GetModelMetadataResponse
        )
        self.get_model_status = _method(
            channel, GET_MODEL_STATUS, GetModelStatusRequest, GetModelStatusResponse
        )


def _method(channel: grpc.Channel, path: str, request: Any, response: Any) -> Method:
    def serialise(message: Any) -> bytes:
        # Large requests are serialised ahead, while the call before them is being answered.
        return message if isinstance(message, bytes) else request.SerializeToString(message)

    return channel.unary_unary(
        path, request_serializer=serialise, response_deserializer=response.FromString
    )
