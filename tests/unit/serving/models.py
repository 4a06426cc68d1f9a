"""Models as the tests of serving need them."""

from __future__ import annotations

from typing import Any

from worker.serving.preparation import Preparation
from worker.serving.resolved import ResolvedModel
from worker.serving.stubs.model_pb2 import SignatureDef, SignatureDefMap, TensorInfo
from worker.serving.stubs.prediction_service_pb2 import GetModelMetadataResponse
from worker.serving.stubs.tensor_pb2 import TensorShapeProto

SIGNATURES_TYPE = "type.googleapis.com/tensorflow.serving.SignatureDefMap"


def resolved_model(**changes: Any) -> ResolvedModel:
    values: dict[str, Any] = {
        "name": "colours",
        "servable": "colours",
        "version": 3,
        "signature": "serving_default",
        "input": "image",
        "output": "scores",
        "input_size": (4, 6),
        "channels": 3,
        "dtype": "float32",
        "layout": "NHWC",
        "class_count": 3,
        "labels": None,
        "preparation": Preparation(),
        "profile_sha256": "0" * 64,
        "batch_size": 32,
    }
    return ResolvedModel(**values | changes)


def info(dtype: int, *sizes: int, unknown_rank: bool = False) -> TensorInfo:
    dims = [TensorShapeProto.Dim(size=size) for size in sizes]
    shape = TensorShapeProto(dim=dims, unknown_rank=unknown_rank)
    return TensorInfo(name="graph:0", dtype=dtype, tensor_shape=shape)


def metadata(
    signatures: dict[str, SignatureDef], *, version: int = 3, type_url: str = SIGNATURES_TYPE
) -> GetModelMetadataResponse:
    response = GetModelMetadataResponse()
    response.model_spec.version.value = version
    packed = response.metadata["signature_def"]
    packed.type_url = type_url
    packed.value = SignatureDefMap(signature_def=signatures).SerializeToString()
    return response
