"""Scores that can be stopped between batches, and that leave no call behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from worker.ports import Predictor


class Watched:
    """Scores, with a checkpoint before each batch is built and after each is scored.

    Closing it closes the predictor's iterators, which cancels the calls still in flight: an error
    keeps the frames that hold them alive, so waiting for them to be collected is not enough.
    """

    def __init__(self, predictor: Predictor, checkpoint: Callable[[], None]) -> None:
        self._predictor = predictor
        self._checkpoint = checkpoint
        self._open: list[Iterator[NDArray[np.float64]]] = []

    def __call__(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float64]]:
        """Score the batches, in order."""
        scores = self._predictor(self._guarded(batches))
        self._open.append(scores)
        for one in scores:
            self._checkpoint()
            yield one
        self._open.remove(scores)

    def close(self) -> None:
        """End every iteration that was not read to its end."""
        for scores in self._open:
            close = getattr(scores, "close", None)
            if close is not None:
                close()
        self._open.clear()

    def _guarded(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        for batch in batches:
            self._checkpoint()
            yield batch
