"""Trying a model: what a signature and a profile cannot tell, a few scored images do."""

from __future__ import annotations

import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from worker.serving import http_answers, outputs
from worker.serving.errors import (
    BadModelOutput,
    PredictorDeadline,
    PredictorError,
    PredictorUnavailable,
    ProfileMismatch,
    ScoresOfRanks,
)
from worker.serving.faults import OPERATOR
from worker.serving.pace import FIRST_SIZE, SIZES, Learned, Pace
from worker.serving.predictor import Predictor
from worker.serving.probes import probes
from worker.serving.profile import Activation, ModelProfile
from worker.serving.resolved import ResolvedModel

_UNREACHABLE = (
    "If that goes on: TensorFlow Serving must listen at the profile's address for gRPC (8500 "
    "unless set otherwise; 8501 is its REST port), this machine must be allowed to connect, and "
    "both sides must agree whether it is over TLS."
)
_BATCH_OF_ONE = (
    "It scores an image that is sent alone and refuses several in a call, as where a batch of 1 is "
    "fixed within the graph: set max_batch_size = 1, or export it with an open batch axis, which "
    "is many times faster."
)
_NO_BATCH_AXIS = (
    "It scores an image that is sent alone, and not several in a call, as where the output has no "
    "batch axis: export a signature that gives (batch, classes). Else max_batch_size = 1 helps "
    "only if the output is of the first image."
)


class Tried(Protocol):
    """A configured model, as far as it is needed to try it. See ``ServedModel``."""

    @property
    def profile(self) -> ModelProfile:
        """Its profile."""

    @property
    def most_images(self) -> int | None:
        """Most images that the server takes in a call, where it has refused more."""

    def resolve(self, version: int | None, *, timeout_s: float) -> ResolvedModel:
        """Ask which version is served, and what it takes and gives."""

    def predictor(
        self,
        resolved: ResolvedModel,
        *,
        deadline_s: float,
        activation: Activation | None = None,
        pace: Pace | None = None,
    ) -> Predictor:
        """Return what scores images."""

    def versions(self, *, timeout_s: float, in_full: bool) -> list[str]:
        """Return each version that the server has, with its state."""


def check(model: Tried, *, timeout_s: float, in_full: bool = False) -> list[str]:
    """Return everything that keeps a model from being explained, each with its cure.

    Scores one image and then as many as a job begins with, because a signature tells neither
    whether its outputs are scores nor whether its graph takes more than one image.

    Parameters
    ----------
    model : ServedModel
    timeout_s : float
        Most seconds for each of the few questions that are asked.
    in_full : bool
        Whether to add the server's own words. They are for the operator, and may hold addresses.
    """
    answered = 0
    try:
        resolved = model.resolve(None, timeout_s=timeout_s)
        images = probes(min(FIRST_SIZE, resolved.batch_size), resolved)
        for _ in model.predictor(resolved, deadline_s=timeout_s)([images[:1], images]):
            answered += 1
    except PredictorError as error:
        if answered and isinstance(error, PredictorDeadline):
            # It is slow. A job has more time, and makes calls smaller.
            return []
        problems = (
            _at_several(error)
            if answered
            else _at_once(model, error, timeout_s=timeout_s, in_full=in_full)
        )
        return in_own_words(problems, error) if in_full else problems
    return []


def doubts(model: Tried, *, timeout_s: float) -> list[str]:
    """Return what makes one doubt that a model which works is configured as it should be.

    Scores several images: of one alone even logits can look like probabilities.

    Raises
    ------
    PredictorError
    """
    resolved = model.resolve(None, timeout_s=timeout_s)
    raw = model.predictor(resolved, activation="none", deadline_s=timeout_s)
    told: list[NDArray[np.float64]] = []
    try:
        # One by one: its users come first, and of a slow one some have to do.
        told += raw(image[np.newaxis] for image in probes(FIRST_SIZE, resolved))
    except BadModelOutput:
        # One unit whose output needs its activation.
        return []
    except PredictorDeadline:
        if not told:
            raise
    return outputs.doubts(
        np.concatenate(told), output=resolved.output, activation=model.profile.activation
    )


def limits(model: Tried, *, timeout_s: float) -> list[str]:
    """Return what keeps calls from being as large as the profile lets them grow.

    Sends ever larger calls, as jobs do, until they take as long as a call may. For the operator:
    a server that is in use is better left alone.

    Raises
    ------
    PredictorError
    """
    resolved = model.resolve(None, timeout_s=timeout_s)
    target_s = model.profile.call_target_ms / 1000
    for size in (size for size in SIZES if FIRST_SIZE <= size <= resolved.batch_size):
        try:
            took_s = _score_in_one_call(model, size, resolved, timeout_s=timeout_s)
        except PredictorDeadline:
            slow = (
                f"A call of {size} images takes longer than {timeout_s:g} s. Jobs begin with "
                f"{FIRST_SIZE}: set max_batch_size lower if that is longer than deadline_s."
            )
            return [slow]
        if model.most_images is not None or took_s > target_s:
            break
    if model.most_images is None:
        return []
    small = (
        f"Calls of more than {model.most_images} image(s) are refused as too large, by the model "
        f"server or a proxy before it, so each worker makes them smaller anew: set max_batch_size "
        f"= {model.most_images}, or let larger ones pass (nginx: client_max_body_size)."
    )
    return [small]


def _score_in_one_call(
    model: Tried, size: int, resolved: ResolvedModel, *, timeout_s: float
) -> float:
    """Score so many images at once, if the server takes them; return the seconds it took."""
    learned = Learned(images=size, in_flight=1)
    pace = Pace(most_images=size, most_in_flight=1, target_s=timeout_s, learned=learned)
    predictor = model.predictor(resolved, deadline_s=timeout_s, pace=pace)
    images = probes(size, resolved)
    begun = time.monotonic()
    for _ in predictor([images]):
        pass
    return time.monotonic() - begun


def in_own_words(problems: list[str], error: PredictorError) -> list[str]:
    """Add what the server said, for the operator, who then needs no log."""
    told = [problem.removesuffix(OPERATOR).strip() for problem in problems]
    said = " ".join(error.context.split())
    return told + ([f"The server's own words: {said}"] if said else [])


def _at_several(error: PredictorError) -> list[str]:
    """Say what is wrong with a model that has scored an image and failed at several."""
    if isinstance(error, ScoresOfRanks | PredictorUnavailable):
        return [error.detail]
    if isinstance(error, BadModelOutput):
        return [error.detail, _NO_BATCH_AXIS]
    return [_BATCH_OF_ONE]


def _at_once(model: Tried, error: PredictorError, *, timeout_s: float, in_full: bool) -> list[str]:
    if isinstance(error, ProfileMismatch):
        return list(error.problems)
    if error.grpc_status == "UNAVAILABLE" and http_answers.fault_of(error.context) is None:
        return [error.detail, _UNREACHABLE]
    by_label = error.grpc_status == "INVALID_ARGUMENT" and model.profile.version_label
    if error.grpc_status != "NOT_FOUND" and not by_label:
        return [error.detail]
    try:
        versions = model.versions(timeout_s=timeout_s, in_full=in_full)
    except PredictorError as unknown:
        return list(dict.fromkeys([error.detail, unknown.detail]))
    return [error.detail, f"The server has these versions: {', '.join(versions) or 'none'}."]
