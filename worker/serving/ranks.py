"""Telling the scores of the k best classes from the scores of all classes.

A model that ends in ``top_k`` or ``reduce_max`` gives sorted scores and, beside them, the classes
that they are of. Read as if they were all classes' scores, a rank would be explained in a class's
place.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Images after which a class that still follows from its one score is taken for a decision on it.
_CONVINCING = 256


class Ranks:
    """Watches the answers of a model that has two such outputs, until they are told apart.

    Several scores are ranks' if they are sorted, all rows in the same direction, and the classes
    beside them change from row to row. One row in another order ends the suspicion. So do classes
    that come twice in a row: they are flags, for instance of which scores are high.

    A single score is the best class's if the class beside it does not follow from it: a class
    that is decided by thresholds has an interval of scores to itself.

    Attributes
    ----------
    is_open : bool
        Whether it is still to be told.
    is_tried : bool
        Whether images were scored to tell it: those of a job may be too much alike.
    """

    def __init__(self) -> None:
        self.is_open = True
        self.is_tried = False
        self._first: NDArray[Any] | None = None
        self._falling = self._rising = True
        self._seen: list[tuple[float, Any]] = []

    def are_scores_of(self, scores: NDArray[np.float64], classes: NDArray[Any]) -> bool:
        """Take the rows of an answer in; return whether the scores are found to be of ranks.

        Parameters
        ----------
        scores : float64 (rows, k)
        classes : bytes or number (rows, k)
        """
        if not self.is_open:
            return False
        if classes.shape != scores.shape:
            self.is_open = False
            return False
        if scores.shape[1] == 1:
            return self._are_of_best(scores[:, 0].tolist(), classes[:, 0].tolist())
        steps = np.diff(scores, axis=1)
        self._falling = self._falling and bool(np.all(steps <= 0))
        self._rising = self._rising and bool(np.all(steps >= 0))
        is_sorted = self._falling or self._rising
        self.is_open = is_sorted and all(len(set(row)) == len(row) for row in classes.tolist())
        if not self.is_open:
            return False
        if self._first is None:
            self._first = classes[0]
        return bool(np.any(classes != self._first))

    def _are_of_best(self, scores: list[float], classes: list[Any]) -> bool:
        self._seen += zip(scores, classes, strict=True)
        least: dict[Any, float] = {}
        most: dict[Any, float] = {}
        for score, name in self._seen:
            least[name] = min(score, least.get(name, score))
            most[name] = max(score, most.get(name, score))
        by_score = sorted(least, key=lambda name: (least[name], most[name]))
        overlap = any(most[one] > least[other] for one, other in pairwise(by_score))
        self.is_open = overlap or len(self._seen) < _CONVINCING
        return overlap
