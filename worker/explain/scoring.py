"""From samples to scores: build the perturbed images, have them scored, count them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from worker.explain.errors import NotProbabilities, WrongScores
from worker.explain.explanation import Floats, Samples, Score
from worker.explain.options import ScoreKind
from worker.explain.perturb import Hiding, batches

# Models compute in float32, which knows no probability between this and the next below 1.
_FINEST = float(np.finfo(np.float32).eps)
# No log-odds are larger than this.
LOGIT_LIMIT = float(np.log((1.0 - _FINEST) / _FINEST))
# A float32 probability may overshoot by rounding, and a thousand in float16 do not add up to 1.
_SLACK = 1e-4
_SUM_SLACK = 0.05


def kind_of(scores: Floats) -> ScoreKind:
    """Tell whether scores (rows, classes) are probabilities of classes of which one is true.

    Those lie in [0, 1] and add up to 1 in each row. Logits do neither; sigmoids of several classes
    that may be true at once do not add up.
    """
    sums = scores.sum(axis=1)
    adds_up = bool(np.abs(sums - 1.0).max() <= _SUM_SLACK)
    return "probability" if adds_up and are_bounded(scores) else "score"


def are_bounded(scores: Floats) -> bool:
    """Whether all scores lie in [0, 1], as those of a softmax or a sigmoid do."""
    return bool(scores.min() >= -_SLACK and scores.max() <= 1.0 + _SLACK)


class Scorer:
    """Sends perturbed images to the predictor, batch by batch, and counts them.

    Attributes
    ----------
    images_scored : int
    batch_size : int
        The most images in one batch.
    """

    def __init__(self, hiding: Hiding, score: Score, *, batch_size: int) -> None:
        self.images_scored = 0
        self.batch_size = batch_size
        self._hiding = hiding
        self._score = score

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
        images = batches(self._hiding, samples, batch_size=self.batch_size)
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
    if not are_bounded(scores):
        raise NotProbabilities(
            f"Score scale 'logit' needs probabilities, and the model gave scores from "
            f"{scores.min():.3g} to {scores.max():.3g}. If these are logits, set activation = "
            "'softmax' in the model's profile, or 'sigmoid' where several classes may be true at "
            "once. Or use score_scale 'probability', which explains scores as they are."
        )
    clipped = scores.clip(_FINEST, 1.0 - _FINEST)
    return np.log(clipped / (1.0 - clipped))


SCALES: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType(
    {"probability": _probability, "logit": _logit}
)
