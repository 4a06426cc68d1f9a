"""From samples to scores: build the perturbed images, have them scored, count them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from worker.explain.errors import NotProbabilities, WrongScores
from worker.explain.explanation import Floats, Samples, Score
from worker.explain.perturb import Hiding, batches

# Models compute in float32, which knows no probability between this and the next below 1.
_FINEST = float(np.finfo(np.float32).eps)


class Scorer:
    """Sends perturbed images to the predictor, batch by batch, and counts them."""

    def __init__(self, hiding: Hiding, score: Score, *, batch_size: int) -> None:
        self.images_scored = 0
        self._hiding = hiding
        self._score = score
        self._batch_size = batch_size

    def __call__(
        self,
        samples: Samples,
        *,
        columns: Sequence[int] | None = None,
        on_scored: Callable[[int], None] | None = None,
    ) -> Floats:
        """Score the perturbed images of some samples.

        Parameters
        ----------
        samples : (n, S) bool
        columns : sequence of int, optional
            The classes to keep, so that a thousand others take no memory; all when left out.
        on_scored : callable, optional
            Told after each batch how many of the samples are done.

        Returns
        -------
        (n, C) float64

        Raises
        ------
        WrongScores
            If the predictor's answers do not match the images.
        """
        images = batches(self._hiding, samples, batch_size=self._batch_size)
        results = self._score(images)
        parts: list[Floats] = []
        done = 0
        try:
            for scores in results:
                kept = scores if columns is None else scores[:, list(columns)]
                parts.append(np.array(kept, dtype=np.float64))
                done += len(scores)
                self.images_scored += len(scores)
                if on_scored is not None:
                    on_scored(done)
        finally:
            # A predictor that keeps batches in flight is told at once when nobody waits for them.
            close = getattr(results, "close", None)
            if close is not None:
                close()
        if done != len(samples):
            raise WrongScores(f"The model gave {done} rows of scores for {len(samples)} images.")
        return np.concatenate(parts)


def _probability(scores: Floats) -> Floats:
    return scores


def _logit(scores: Floats) -> Floats:
    if scores.min() < 0 or scores.max() > 1:
        raise NotProbabilities(
            f"Score scale 'logit' needs probabilities, and the model gave scores from "
            f"{scores.min():.3g} to {scores.max():.3g}. Use score_scale 'probability'."
        )
    clipped = scores.clip(_FINEST, 1.0 - _FINEST)
    return np.log(clipped / (1.0 - clipped))


SCALES: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType(
    {"probability": _probability, "logit": _logit}
)
