"""Telling the scores of the k best classes from the scores of all classes.

A model that ends in ``top_k`` gives scores in falling order and, beside them, the classes that they
are of. Read as if they were all classes' scores, a rank would be explained in a class's place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Ranks:
    """Watches the answers of a model that has two such outputs, until they are told apart.

    The scores are ranks' if they fall from the first to the last in every row and the classes
    beside them change from row to row. One row whose scores rise somewhere ends the suspicion. So
    do classes that come twice in a row: they are flags, for instance of which scores are high.

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

    def are_scores_of(self, scores: NDArray[np.float64], classes: NDArray[Any]) -> bool:
        """Take the rows of an answer in; return whether the scores are found to be of ranks.

        Parameters
        ----------
        scores : float64 (rows, k)
        classes : bytes or int (rows, k)
        """
        self.is_open = (
            self.is_open
            and classes.shape == scores.shape
            and scores.shape[1] > 1
            and bool(np.all(np.diff(scores, axis=1) <= 0))
            and all(len(set(row)) == len(row) for row in classes.tolist())
        )
        if not self.is_open:
            return False
        if self._first is None:
            self._first = classes[0]
        return bool(np.any(classes != self._first))
