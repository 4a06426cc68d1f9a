"""A client of TensorFlow Serving made of its own official stubs."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)


class Calls:
    """Each call as a method; what comes back is the protocol's message."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._model = model_service_pb2_grpc.ModelServiceStub(channel)

    def predict(
        self,
        name: str,
        inputs: dict[str, np.ndarray],
        *,
        signature: str = "",
        outputs: tuple[str, ...] = (),
        **version: Any,
    ) -> Any:
        """Call Predict."""
        request = predict_pb2.PredictRequest(
            model_spec=spec(name, **version),
            inputs={alias: tf.make_tensor_proto(array) for alias, array in inputs.items()},
            output_filter=outputs,
        )
        request.model_spec.signature_name = signature
        return self._prediction.Predict(request, timeout=60)

    def metadata(self, name: str, *fields: str, **version: Any) -> Any:
        """Call GetModelMetadata."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=spec(name, **version), metadata_field=fields
        )
        return self._prediction.GetModelMetadata(request, timeout=60)

    def status(self, name: str, **version: Any) -> Any:
        """Call GetModelStatus."""
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec(name, **version))
        return self._model.GetModelStatus(request, timeout=60)


def spec(name: str, *, version: int | None = None, label: str | None = None) -> Any:
    """Name a model and, perhaps, a version of it by number or label."""
    made = model_pb2.ModelSpec(name=name)
    if version is not None:
        made.version.value = version
    if label is not None:
        made.version_label = label
    return made
