"""From a model's answer to scores, or to the reason why it has none."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from worker.serving import tensors
from worker.serving.errors import BadModelOutput, ScoresOfRanks
from worker.serving.profile import Activation
from worker.serving.ranks import Ranks
from worker.serving.resolved import ResolvedModel
from worker.serving.signatures import is_embedding
from worker.serving.stubs.prediction_service_pb2 import PredictResponse

# A float32 probability may overshoot by rounding.
_SLACK = 1e-4
# Of a thousand classes in float16, or rounded by quantisation.
_SUM_SLACK = 0.05
# So many scores hardly ever fall from the first to the last by chance, in several images.
_MANY_CLASSES = 4


def doubts(scores: NDArray[np.float64], *, output: str, activation: Activation) -> list[str]:
    """Say what makes one doubt that an output is the one that should be explained.

    Parameters
    ----------
    scores : float64 (rows, classes)
        Of several images, without the activation.
    output : str
        Its name.
    activation : str
        The profile's.
    """
    if is_embedding(output):
        about_name = (
            f"Its output is named {output!r}, as a vector is that describes an image: its numbers "
            "would be explained as if they were classes. If so, set output to the scores, or "
            "export a signature that gives them."
        )
        return [about_name]
    found = []
    if scores.shape[1] >= _MANY_CLASSES and np.all(np.diff(scores, axis=1) <= 0):
        found.append(
            f"Its scores fall from the first to the last in each of {len(scores)} images, as those "
            f"of the best {scores.shape[1]} classes do, where a place is no class. If so, export a "
            "signature that gives the scores of all classes in a fixed order."
        )
    about = doubt(scores)
    if activation == "none" and about is not None:
        found.append(about)
    if activation != "none" and about is None:
        found.append(
            f"Its output holds probabilities already, and activation = {activation!r} is applied "
            "to them: set activation = 'none', or output to the tensor that holds the logits."
        )
    return found


def doubt(scores: NDArray[np.float64]) -> str | None:
    """Say what makes one doubt that scores to which no activation was applied are probabilities.

    That they are is nowhere written, and logits give an explanation too, of another quantity. So
    it is no error: a model may score by whatever its makers chose.

    Parameters
    ----------
    scores : float64 (rows, classes)

    Returns
    -------
    str or None
        With its cure; None if they look like probabilities.
    """
    low, high, sums = float(scores.min()), float(scores.max()), scores.sum(axis=1)
    if low < -_SLACK or high > 1 + _SLACK:
        return (
            f"Its scores lie between {low:.3g} and {high:.3g}, as logits do: set activation = "
            "'softmax', or 'sigmoid' where several classes may be true at once."
        )
    if np.abs(sums - 1).max() > _SUM_SLACK:
        return (
            f"Its scores add up to {sums[np.abs(sums - 1).argmax()]:.3g} instead of 1. That is "
            "right where several classes may be true at once; else set output to the tensor that "
            "holds the probabilities."
        )
    return None


class ScoreReader:
    """Reads the answers of one version of a model.

    Takes scores as (n, classes), as (classes) for one image, and as (n) or (n, 1) for a single
    sigmoid unit, which comes out as two classes: not and is.

    Parameters
    ----------
    resolved : ResolvedModel
    activation : str
    ranks : Ranks or None
        What is known of this version's scores already.
    """

    def __init__(
        self, resolved: ResolvedModel, *, activation: Activation, ranks: Ranks | None = None
    ) -> None:
        self._resolved = resolved
        self._activation = activation
        self._class_count = resolved.class_count
        self._ranks = Ranks() if ranks is None else ranks

    def read(self, response: PredictResponse, *, rows: int) -> NDArray[np.float64]:
        """Return the scores of ``rows`` images, float64 (rows, classes).

        Raises
        ------
        BadModelOutput
            If the answer is of another version or lacks the tensor, if there are not ``rows`` rows,
            if a score is not finite, or if there are more or fewer classes than before.
        """
        self._check_version(response)
        if self._resolved.output not in response.outputs:
            self._refuse("is missing from the answer; the profile's output must name it")
        try:
            raw = tensors.to_floats(response.outputs[self._resolved.output])
        except ValueError as error:
            self._refuse(str(error))
        if not np.all(np.isfinite(raw)):
            self._refuse("holds NaN or infinity")
        raw = self._as_rows(raw, rows)
        self._check_ranks(raw, response)
        scores = self._activate(raw)
        self._check_classes(scores.shape[1])
        return scores

    def _as_rows(self, raw: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
        if raw.ndim == 1:
            # One number an image, or the scores of the only image.
            raw = raw[np.newaxis] if rows == 1 and raw.size > 1 else raw[:, np.newaxis]
        if raw.ndim != 2 or raw.shape[0] != rows or raw.shape[1] == 0:  # noqa: PLR2004
            self._refuse(f"has the shape {list(raw.shape)} for {rows} images")
        return raw

    def _activate(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._activation == "softmax":
            shifted = np.exp(raw - raw.max(axis=1, keepdims=True))
            return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
        scores = _sigmoid(raw) if self._activation == "sigmoid" else raw
        if scores.shape[1] > 1:
            return scores
        if scores.min() < -_SLACK or scores.max() > 1 + _SLACK:
            self._refuse(
                "is one number that is no probability: set activation = 'sigmoid' if it is the "
                "logit of one class; a quantity that the model estimates has no class to explain"
            )
        return np.concatenate([1 - scores, scores], axis=1)

    @property
    def wants_trial(self) -> bool:
        """Whether images that differ are to be scored first, to see what the scores are of."""
        is_new = self._ranks.is_open and not self._ranks.is_tried
        return self._resolved.class_output is not None and is_new

    def begin_trial(self) -> None:
        """Take what is read next for the trial; there is only one."""
        self._ranks.is_tried = True

    @property
    def wanted(self) -> list[str]:
        """Outputs that the next call has to ask for."""
        beside = self._resolved.class_output
        has_doubt = beside is not None and self._ranks.is_open
        return [self._resolved.output, *([beside] if beside and has_doubt else [])]

    def _check_ranks(self, raw: NDArray[np.float64], response: PredictResponse) -> None:
        beside = self._resolved.class_output
        if beside is None or beside not in response.outputs:
            return
        try:
            classes = tensors.to_names(response.outputs[beside])
        except ValueError:
            self._ranks.is_open = False
            return
        if classes.size == raw.size:
            classes = classes.reshape(raw.shape)
        if self._ranks.are_scores_of(raw, classes):
            count = raw.shape[1]
            held = (
                f"score of the best class, and {beside!r} tells which that is"
                if count == 1
                else f"scores of the best {count} classes, sorted, and {beside!r} tells which they "
                "are: a place in it is no class"
            )
            self._refuse(
                f"holds the {held}. Export a signature that gives the scores of all classes in a "
                f"fixed order, and set output to it; or leave {beside!r} out if it tells something "
                "else",
                ScoresOfRanks,
            )

    def _check_version(self, response: PredictResponse) -> None:
        answered = response.model_spec.version.value
        if answered != self._resolved.version:
            raise BadModelOutput(
                f"Model {self._resolved.name!r} was asked for version {self._resolved.version} and "
                f"answered as version {answered or 'unknown'}: all servers behind its address must "
                f"serve the same versions and tell them."
            )

    def _check_classes(self, count: int) -> None:
        if self._class_count is not None and count != self._class_count:
            self._refuse(f"has {count} classes where {self._class_count} are expected")
        self._class_count = count

    def _refuse(self, reason: str, kind: type[BadModelOutput] = BadModelOutput) -> NoReturn:
        raise kind(
            f"The output {self._resolved.output!r} of model {self._resolved.name!r}, version "
            f"{self._resolved.version}, {reason}."
        )


def _sigmoid(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)), written so that large negative x do not overflow."""
    small = np.exp(-np.abs(raw))
    return np.where(raw >= 0, 1 / (1 + small), small / (1 + small))
