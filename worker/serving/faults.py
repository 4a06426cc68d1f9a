"""The table from a model server's status code to an error of ours, and what may be tried again.

TensorFlow Serving gives: NOT_FOUND for a model or version that is not loaded, INVALID_ARGUMENT for
an unknown version label, a wrong shape or too large a batch, UNAVAILABLE for labels that are not
yet assigned and for a full batch queue, RESOURCE_EXHAUSTED for a time-out in that queue,
FAILED_PRECONDITION for a signature that cannot be used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import grpc
from grpc import StatusCode

from worker.serving.errors import (
    ModelVersionGone,
    PredictorDeadline,
    PredictorError,
    PredictorRejected,
    PredictorUnavailable,
)

_BATCH_TOO_LARGE = re.compile(r"larger than maximum input batch size", re.IGNORECASE)
# Said by either side's gRPC, of the request or of the answer.
_MESSAGE_TOO_LARGE = re.compile(r"message larger than max", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which model a call was about: profile name, and the version if it was a certain one."""

    model: str
    version: int | None = None


class Fault(NamedTuple):
    """An error of ours and what it says of the model; ``{model}`` is filled in."""

    kind: type[PredictorError]
    says: str


OPERATOR = "The operator must look at the model's profile and the worker's log."

FAULTS: Mapping[StatusCode, Fault] = MappingProxyType(
    {
        StatusCode.UNAVAILABLE: Fault(
            PredictorUnavailable,
            "The model server of {model} cannot be reached or is overloaded. Try again later.",
        ),
        StatusCode.RESOURCE_EXHAUSTED: Fault(
            PredictorUnavailable,
            "The model server of {model} is overloaded. Try again later, or lower max_batch_size "
            "and max_in_flight in the model's profile.",
        ),
        StatusCode.NOT_FOUND: Fault(
            PredictorUnavailable,
            "The model server does not serve {model} now. Try again once it is loaded; if it is, "
            "the servable in the model's profile has another name.",
        ),
        StatusCode.DEADLINE_EXCEEDED: Fault(
            PredictorDeadline,
            "A call to {model} was not answered in time. Try again when the model server is less "
            "busy, or raise deadline_s or lower max_batch_size in the model's profile.",
        ),
        StatusCode.INVALID_ARGUMENT: Fault(
            PredictorRejected,
            "The model server refuses what is sent to {model}: its input, or its version label, "
            f"is not what the profile says. {OPERATOR}",
        ),
        StatusCode.FAILED_PRECONDITION: Fault(
            PredictorRejected,
            f"The signature of {{model}} cannot be used for Predict. {OPERATOR}",
        ),
        StatusCode.UNAUTHENTICATED: Fault(
            PredictorRejected,
            "The model server of {model} wants credentials: metadata or tls in the model's "
            "profile must be set right.",
        ),
        StatusCode.PERMISSION_DENIED: Fault(
            PredictorRejected,
            "The model server of {model} denies us access: metadata or tls in the model's "
            "profile must be set right.",
        ),
        StatusCode.UNIMPLEMENTED: Fault(
            PredictorRejected,
            "What answers at the address of {model} is not TensorFlow Serving: the address in "
            "the model's profile must be that of its gRPC port.",
        ),
        StatusCode.CANCELLED: Fault(
            PredictorUnavailable,
            "The model server cancelled a call to {model}, as it does when it stops. Try again.",
        ),
    }
)
OTHER = Fault(
    PredictorUnavailable,
    f"The model server failed while it ran {{model}}. Try again later. {OPERATOR}",
)


def code_of(error: grpc.RpcError) -> StatusCode:
    """Return the status code that a failed call ended with."""
    code: StatusCode = error.code()
    return code


def is_too_large(error: grpc.RpcError) -> bool:
    """Whether fewer images in a call would have passed: batch limit or message size."""
    text = error.details() or ""
    if code_of(error) is StatusCode.RESOURCE_EXHAUSTED:
        return _MESSAGE_TOO_LARGE.search(text) is not None
    if code_of(error) is StatusCode.INVALID_ARGUMENT:
        return _BATCH_TOO_LARGE.search(text) is not None
    return False


def can_pass(error: grpc.RpcError) -> bool:
    """Whether the same call may succeed a moment later. NOT_FOUND may while a model reloads."""
    passing = (StatusCode.UNAVAILABLE, StatusCode.RESOURCE_EXHAUSTED, StatusCode.NOT_FOUND)
    return code_of(error) in passing and not is_too_large(error)


def translate(error: grpc.RpcError, *, asked: Asked) -> PredictorError:
    """Put a failed call into our terms. The server's own words go to ``context`` only."""
    code = code_of(error)
    context = error.details() or ""
    model = f"model {asked.model!r}"
    if code is StatusCode.NOT_FOUND and asked.version is not None:
        return ModelVersionGone(
            f"Version {asked.version} of {model} is not served (any more). Ask for a version that "
            f"is, or for none to get the current one.",
            grpc_status=code.name,
            context=context,
        )
    if is_too_large(error):
        return PredictorRejected(
            f"Not even one image fits into a call to {model}: the model server, or a proxy before "
            f"it, must accept larger messages.",
            grpc_status=code.name,
            context=context,
        )
    fault = FAULTS.get(code, OTHER)
    return fault.kind(fault.says.format(model=model), grpc_status=code.name, context=context)
