"""The table from a model server's status code to an error of ours, and what may be tried again.

TensorFlow Serving gives: NOT_FOUND for a model or version that is not loaded, INVALID_ARGUMENT for
an unknown version label, a wrong shape or too large a batch, UNAVAILABLE for labels that are not
yet assigned and for a full batch queue, RESOURCE_EXHAUSTED for a time-out in that queue,
FAILED_PRECONDITION for a signature that cannot be used.

What a proxy answers in the server's place is ``worker.serving.http_answers``'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import grpc
from grpc import StatusCode

from worker.serving import http_answers
from worker.serving.errors import (
    ModelVersionGone,
    PredictorDeadline,
    PredictorError,
    PredictorRejected,
    PredictorUnavailable,
)
from worker.serving.http_answers import Fault

_BATCH_TOO_LARGE = re.compile(r"larger than maximum input batch size", re.IGNORECASE)
# Said by either side's gRPC, of the request or of the answer; each implementation has its words:
# C++ and Go, Java and .NET, Rust.
_MESSAGE_TOO_LARGE = re.compile(
    r"message larger than max|message exceeds .*maximum|message length too large", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which model a call was about.

    Attributes
    ----------
    model : str
        Name of its profile.
    version : int or None
        The version, if it was a certain one.
    by_proxy : bool
        Whether the profile names a proxy.
    by_file : bool
        Whether files hold what it shows to the server, so that other credentials may come.
    """

    model: str
    version: int | None = None
    by_proxy: bool = False
    by_file: bool = False


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


CREDENTIALS_BY_FILE = Fault(
    PredictorUnavailable,
    "The model server of {model} does not accept the credentials that the files of the profile "
    "hold (metadata or tls). Jobs wait until it does; what is written into the files is used "
    "without a restart.",
)
PROXY_UNREACHABLE = Fault(
    PredictorUnavailable,
    "The model server of {model} cannot be reached through the proxy that its profile names, or "
    "is overloaded. Try again later.",
)
TOO_LARGE = Fault(
    PredictorRejected,
    "Not even one image fits into a call to {model}: the model server, or a proxy before it, must "
    "accept larger messages.",
)

_PASSING = frozenset({StatusCode.UNAVAILABLE, StatusCode.RESOURCE_EXHAUSTED})
_SOON_OR_NEVER = frozenset(
    {
        StatusCode.NOT_FOUND,
        # A proxy's 404 and 403 while its routes are changed.
        StatusCode.UNIMPLEMENTED,
        StatusCode.PERMISSION_DENIED,
        StatusCode.UNAUTHENTICATED,
    }
)


def code_of(error: grpc.RpcError) -> StatusCode:
    """Return the status code that a failed call ended with."""
    code: StatusCode = error.code()
    return code


def is_too_large(error: grpc.RpcError) -> bool:
    """Whether fewer images in a call would have passed: batch limit or message size."""
    text = error.details() or ""
    if http_answers.is_too_large(text):
        return True
    if code_of(error) in (StatusCode.RESOURCE_EXHAUSTED, StatusCode.OUT_OF_RANGE):
        return _MESSAGE_TOO_LARGE.search(text) is not None
    if code_of(error) is StatusCode.INVALID_ARGUMENT:
        return _BATCH_TOO_LARGE.search(text) is not None
    return False


def can_pass(error: grpc.RpcError, *, asked: Asked) -> bool:
    """Whether the same call may succeed a moment later."""
    if is_too_large(error):
        return False
    if code_of(error) is StatusCode.UNAUTHENTICATED:
        return asked.by_file
    passing = code_of(error) in (*_PASSING, *_SOON_OR_NEVER)
    return passing or http_answers.is_broken(error.details() or "")


def passes_soon_or_never(error: grpc.RpcError) -> bool:
    """Whether it is not worth to wait long: a model reloads, a proxy gets its routes, or not."""
    return code_of(error) in _SOON_OR_NEVER


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
    fault = _fault_of(error, asked)
    return fault.kind(fault.says.format(model=model), grpc_status=code.name, context=context)


def _fault_of(error: grpc.RpcError, asked: Asked) -> Fault:
    code = code_of(error)
    if code is StatusCode.UNAUTHENTICATED and asked.by_file:
        return CREDENTIALS_BY_FILE
    if (answered := http_answers.fault_of(error.details() or "")) is not None:
        return answered
    if is_too_large(error):
        return TOO_LARGE
    if code is StatusCode.UNAVAILABLE and asked.by_proxy:
        return PROXY_UNREACHABLE
    return FAULTS.get(code, OTHER)
