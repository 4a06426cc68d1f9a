"""The gRPC face of the stand-in: TensorFlow Serving's official services over `ServedModels`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from deploy.demo.servable import DEFAULT_SIGNATURE
from deploy.demo.served_models import ServedModels
from deploy.demo.serving_error import ServingError, invalid

_SIGNATURE_FIELD: Final = "signature_def"
_Answer = TypeVar("_Answer")


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the service's other calls answer UNIMPLEMENTED.

    Parameters
    ----------
    models
        What is served.
    max_batch_size
        Most rows in one call; 0 for no limit.
    """

    def __init__(self, models: ServedModels, *, max_batch_size: int) -> None:
        self._models = models
        self._max_batch_size = max_batch_size

    def Predict(  # noqa: N802 - the protocol's name
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Run a signature of a model."""
        return _answer(context, lambda: self._predict(request))

    def GetModelMetadata(  # noqa: N802 - the protocol's name
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Tell a model's signatures and which version the request means."""
        return _answer(context, lambda: self._metadata(request))

    def _predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        spec = request.model_spec
        version, servable = self._models.find(spec)
        outputs = servable.predict(
            spec.signature_name,
            request.inputs,
            output_filter=list(request.output_filter),
            max_batch=self._max_batch_size,
        )
        response = predict_pb2.PredictResponse(outputs=outputs)
        response.model_spec.name = spec.name
        response.model_spec.signature_name = spec.signature_name or DEFAULT_SIGNATURE
        response.model_spec.version.value = version
        return response

    def _metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != _SIGNATURE_FIELD:
                raise invalid(f"Metadata field {field} is not supported")
        version, servable = self._models.find(request.model_spec)
        signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signatures)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = version
        response.metadata[_SIGNATURE_FIELD].Pack(signatures)
        return response


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus; what is served is decided by the folders, so there is no reload call."""

    def __init__(self, models: ServedModels) -> None:
        self._models = models

    def GetModelStatus(  # noqa: N802 - the protocol's name
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Tell the states of a model's versions."""
        return _answer(context, lambda: self._status(request))

    def _status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        return get_model_status_pb2.GetModelStatusResponse(
            model_version_status=self._models.statuses(request.model_spec)
        )


def make_server(
    models: ServedModels, *, calls_at_once: int, max_batch_size: int
) -> tuple[grpc.Server, health.HealthServicer]:
    """Make a gRPC server that is not bound and not started, and the servicer of its health."""
    server = grpc.server(
        ThreadPoolExecutor(max_workers=calls_at_once, thread_name_prefix="call"),
        options=[
            # gRPC's default of 4 MiB is less than a batch of images; the real server takes any.
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            # Otherwise two servers share a port without a word and take turns to answer.
            ("grpc.so_reuseport", 0),
        ],
    )
    prediction = PredictionService(models, max_batch_size=max_batch_size)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(models), server)
    health_servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    return server, health_servicer


def _answer(context: grpc.ServicerContext, work: Callable[[], _Answer]) -> _Answer:
    try:
        return work()
    except ServingError as error:
        context.abort(error.code, error.text)
        raise  # Never reached: abort raises by itself.
