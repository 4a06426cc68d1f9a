"""The one error of the stand-in model server, with the texts of TensorFlow Serving 2.x.

They are facts of its `server_core.cc`, `basic_manager.cc`, `predict_util.cc`,
`get_model_status_impl.cc` and `get_model_metadata_impl.cc`, and of TensorFlow's
`shared_batch_scheduler.h`, `batching_session.cc` and `saved_model/util.cc`.
"""

from __future__ import annotations

from collections.abc import Iterable

import grpc


class ServingError(Exception):
    """What a call ends with.

    Attributes
    ----------
    code
        gRPC status.
    text
        TensorFlow Serving's own message.
    """

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(f"{code.name}: {text}")
        self.code = code
        self.text = text


def not_found(text: str) -> ServingError:
    """Make an error for what is not served, now or ever."""
    return ServingError(grpc.StatusCode.NOT_FOUND, text)


def invalid(text: str) -> ServingError:
    """Make an error for a request that cannot be right."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, text)


def names(keys: Iterable[str]) -> str:
    """List names as TensorFlow Serving does: sorted, with commas only."""
    return ",".join(sorted(keys))
