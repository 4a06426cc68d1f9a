"""The one table from an error of ours to the reason that a failed job carries.

The reasons are those of the API (``worker.jobs.job.Failure``). An error that is not in the table is
a mistake of ours: its trace goes to the log, the client is told only that it happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from billiard.exceptions import SoftTimeLimitExceeded

from worker.explain.errors import (
    BadSegments,
    ImageTooUniform,
    KernelTooNarrow,
    NotProbabilities,
    TooManySegments,
    UnknownClass,
    WrongScores,
)
from worker.images import ImageError
from worker.jobs.errors import BlobMissing, JobTooLarge
from worker.jobs.job import Failure
from worker.serving.errors import (
    BadModelOutput,
    ModelVersionGone,
    PredictorDeadline,
    PredictorError,
    PredictorRejected,
    PredictorUnavailable,
)


class UnknownModel(Exception):
    """No profile of that name is configured on this worker."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"No model named {name!r} is configured on the worker that took this job. "
            f"Give every worker the same models file."
        )


class TimedOut(Exception):
    """The job took longer than one attempt may take."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(
            f"The job was not done after {limit_s:g} s, the limit of this service. "
            f"Ask for fewer samples, or post it again when the model server is less busy."
        )


class Reason(NamedTuple):
    """What a client is told of one kind of error; a detail of None is the error's own text."""

    type: str
    title: str
    retryable: bool = False
    detail: str | None = None


INTERNAL = Reason(
    "internal",
    "The explanation could not be computed",
    detail="Something went wrong in this service. It is recorded in the worker's log under the "
    "id of this job.",
)

REASONS: Mapping[type[BaseException], Reason] = MappingProxyType(
    {
        PredictorUnavailable: Reason(
            "predictor-unavailable", "The model server is not available", retryable=True
        ),
        PredictorDeadline: Reason(
            "predictor-deadline", "The model server did not answer in time", retryable=True
        ),
        PredictorRejected: Reason("predictor-rejected", "The model server refused the request"),
        ModelVersionGone: Reason("model-version-gone", "The model version is no longer served"),
        BadModelOutput: Reason("bad-model-output", "The model's answer cannot be used"),
        WrongScores: Reason("bad-model-output", "The model's answer cannot be used"),
        NotProbabilities: Reason("bad-model-output", "The model's scores are not probabilities"),
        UnknownModel: Reason("predictor-unavailable", "The model is not configured"),
        UnknownClass: Reason("unknown-class", "The model has no such class"),
        ImageTooUniform: Reason("image-too-uniform", "The image has only one segment"),
        KernelTooNarrow: Reason("invalid-request", "The options do not suit this image"),
        TooManySegments: Reason("invalid-request", "The options do not suit this image"),
        BadSegments: Reason("invalid-image", "The label map cannot be used"),
        ImageError: Reason("invalid-image", "The image cannot be used"),
        BlobMissing: Reason(
            "internal",
            "The uploaded image is gone",
            detail="The uploaded image is no longer stored. Post it again.",
        ),
        JobTooLarge: Reason(
            "internal",
            "The pictures are too large to be stored",
            detail="The pictures of this job are larger than what is stored for one job. Ask for "
            "fewer pictures or classes, or for a smaller max_side.",
        ),
        TimedOut: Reason("timed-out", "The job took too long", retryable=True),
        SoftTimeLimitExceeded: Reason(
            "timed-out",
            "The job took too long",
            retryable=True,
            detail="The job was stopped at the time limit of this service. Ask for fewer samples "
            "or a cheaper segmentation.",
        ),
    }
)


def failure_of(error: Exception, *, stage: str) -> Failure:
    """Put an error into the terms of the API.

    Parameters
    ----------
    error : Exception
        The nearest of its classes that is in ``REASONS`` decides; with none, ``INTERNAL``.
    stage : str
        Where the job was.
    """
    reason = reason_of(error)
    predictor_error = error if isinstance(error, PredictorError) else None
    return Failure(
        type=reason.type,
        title=reason.title,
        detail=str(error) if reason.detail is None else reason.detail,
        stage=stage,
        retryable=predictor_error.retryable if predictor_error else reason.retryable,
        grpc_status=predictor_error.grpc_status if predictor_error else None,
    )


def reason_of(error: Exception) -> Reason:
    """Return the table's entry for an error, ``INTERNAL`` for one that is not foreseen."""
    known = (REASONS[kind] for kind in type(error).__mro__ if kind in REASONS)
    return next(known, INTERNAL)
