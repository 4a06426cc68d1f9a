"""What is answered in a model server's place, by HTTP and not gRPC: by a proxy, or another server.

gRPC makes a status code of an HTTP status
(https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md), of which several mean
something else when they come from a model server, and a text. That text is read here and nowhere
else; it is part of no contract, so tests hold it against a real proxy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple

from worker.serving.errors import PredictorError, PredictorRejected, PredictorUnavailable

# gRPC's words where HTTP was answered and no gRPC.
_HTTP_STATUS = re.compile(r"Received http2 header with status: ([0-9]{3})")
_HTTP_1 = re.compile(r"http1\.x server")
# Of a page, and of one that is empty.
_PAGE = re.compile(r"Stream removed \(Data frame with END_STREAM|^No status received$")
# What a proxy says in a gRPC answer, as Envoy does.
_PAYLOAD_TOO_LARGE = re.compile(r"(payload|request entity|content) too large", re.IGNORECASE)
_CONNECT_STATUS = re.compile(r"HTTP proxy returned response code ([0-9]{3})")
# HTTP statuses from here on say that something between us and the server is broken.
_BROKEN = 500


class Fault(NamedTuple):
    """An error of ours and what it says of the model; ``{model}`` is filled in."""

    kind: type[PredictorError]
    says: str


_SPEAKS_HTTP_1 = Fault(
    PredictorUnavailable,
    "What answers at the address of {model} speaks HTTP/1 and not gRPC: the address in the "
    "model's profile must be that of the gRPC port (8500 unless set otherwise; 8501 is REST), and "
    "a proxy before it must take HTTP/2.",
)
_NO_GRPC = Fault(
    PredictorUnavailable,
    "What answers for {model} sends something else than gRPC, as a proxy does with a page of its "
    "own: it must pass the paths /tensorflow.serving.* to the model server as gRPC.",
)
_PROXY_REFUSES = Fault(
    PredictorUnavailable,
    "The proxy that the profile of {model} names does not connect to the model server (HTTP "
    "{status}): its rules must allow CONNECT to the profile's address, and user and password be "
    "in its URL where it wants them.",
)

_ANSWERED = "A proxy before the model server of {model} answered in its place (HTTP {status}): "
# What a proxy before the server means by its status, and what is to be done.
_ANSWERS: Mapping[int, Fault] = MappingProxyType(
    {
        401: Fault(
            PredictorRejected,
            f"{_ANSWERED}it wants credentials. Set metadata or tls in the model's profile.",
        ),
        403: Fault(
            PredictorRejected,
            f"{_ANSWERED}it denies us access. Set metadata or tls in the model's profile, or its "
            "rules, right.",
        ),
        404: Fault(
            PredictorRejected,
            f"{_ANSWERED}it knows no way to the model server. It must pass the paths "
            "/tensorflow.serving.* of the host in the profile's address.",
        ),
        429: Fault(
            PredictorUnavailable,
            f"{_ANSWERED}it takes no more requests for now. Raise its rate limit, or lower "
            "max_in_flight in the model's profile.",
        ),
        502: Fault(
            PredictorUnavailable,
            f"{_ANSWERED}it gets no answer from the model server. That must run, and the proxy "
            "must speak gRPC to its gRPC port.",
        ),
        503: Fault(
            PredictorUnavailable,
            f"{_ANSWERED}it has no model server that is ready. Try again once one is.",
        ),
        504: Fault(
            PredictorUnavailable,
            f"{_ANSWERED}the model server took longer than it waits. Raise its time-out, or lower "
            "max_batch_size in the model's profile.",
        ),
    }
)
_OTHER = Fault(
    PredictorUnavailable, f"{_ANSWERED}see its log. gRPC calls must pass it as they are."
)
_TOO_LARGE = Fault(
    PredictorRejected,
    "Not even one image fits into a call to {model}: a proxy before the model server refuses it "
    "as too large (HTTP 413). Raise its limit (nginx: client_max_body_size; ingress-nginx: the "
    "annotation nginx.ingress.kubernetes.io/proxy-body-size), or serve a signature that takes "
    "uint8 or encoded pictures.",
)


def is_too_large(text: str) -> bool:
    """Whether a call was refused for its size, from the text that gRPC gives of it."""
    refused = _status(_HTTP_STATUS, text) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return refused or _PAYLOAD_TOO_LARGE.search(text) is not None


def is_broken(text: str) -> bool:
    """Whether the same call may pass a moment later, whatever status code gRPC made of it."""
    return (_status(_HTTP_STATUS, text) or 0) >= _BROKEN


def fault_of(text: str) -> Fault | None:
    """Return what a text of gRPC says of an answer in the server's place, None if it says none."""
    if is_too_large(text):
        return _TOO_LARGE
    if (status := _status(_HTTP_STATUS, text)) is not None:
        return _with_status(_ANSWERS.get(status, _OTHER), status)
    if (status := _status(_CONNECT_STATUS, text)) is not None:
        return _with_status(_PROXY_REFUSES, status)
    if _HTTP_1.search(text) is not None:
        return _SPEAKS_HTTP_1
    return None if _PAGE.search(text) is None else _NO_GRPC


def _status(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return None if found is None else int(found[1])


def _with_status(fault: Fault, status: int) -> Fault:
    return fault._replace(says=fault.says.replace("{status}", str(status)))
