"""Score inputs by a model that TensorFlow Serving serves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.match.trials import Input
from worker.serving.model import ServedModel
from worker.serving.profile import ModelProfile
from worker.serving.resolved import ResolvedModel

DEADLINE_S: Final = 600.0


class ServedScorer:
    """Scores inputs by one version of a model, through profiles that are changed for it."""

    def __init__(self, profile: ModelProfile, resolved: ResolvedModel) -> None:
        self._profile = profile
        self._resolved = resolved

    def __call__(self, inputs: Sequence[Input], **changes: object) -> NDArray[np.float64]:
        """Return float64 (inputs, classes).

        Raises
        ------
        worker.serving.errors.PredictorError
        """
        model = ServedModel(self._profile.model_copy(update=changes))
        with closing(model):
            predictor = model.predictor(self._resolved, deadline_s=DEADLINE_S)
            return np.concatenate(list(predictor(_batches(inputs, predictor.batch_size))))


def _batches(inputs: Sequence[Input], size: int) -> Iterator[NDArray[np.uint8 | np.float32]]:
    """Stack inputs: bytes become floats beside floats, and stay bytes where all are."""
    for start in range(0, len(inputs), size):
        yield np.stack(inputs[start : start + size])
