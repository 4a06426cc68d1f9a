"""What an explanation is: plain frozen values, and the port through which scores are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.explain.options import AttributionScale, ControlVariates, ScoreKind, StoppedBy
from worker.explain.result_warning import ResultWarning, Trust

Image = NDArray[np.uint8]
Segments = NDArray[np.int32]
Samples = NDArray[np.bool_]
Floats = NDArray[np.float64]
# Rows and columns of the model's input that show the picture. What lies around it is padding.
Frame = tuple[slice, slice]
WHOLE: Final[Frame] = (slice(None), slice(None))

# Batches of images (n, H, W, C) go in, their scores (n, classes) come out in the same order. The
# producer uses one buffer for all batches, so whoever takes a batch has to read it before it takes
# the next; results may lag behind, which lets a predictor keep several batches in flight.
Score = Callable[[Iterable[Image]], Iterator[Floats]]

# Told of every step: stage ("segmenting", "sampling", "fitting"), samples scored, samples limit.
# It may raise, to stop the explanation: the error passes through unchanged.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One class and its score on the untouched image."""

    class_index: int
    score: float


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassExplanation:
    """Why the model gave one class its score.

    Attributes
    ----------
    class_index : int
    score : float
        The model's score of the untouched image.
    hidden_score : float
        The model's score of the image with all segments hidden.
    intercept, surrogate_score : float
        The surrogate's value with no segment kept, and with all kept. Like the attributions they
        are in units of the score, or of its log-odds where ``score_scale`` is ``"logit"``.
    r2 : float
        Weighted in-sample fidelity; 0 when the score did not move at all.
    press_r2 : float or None
        The same from leave-one-out predictions. None where these have no closed form: the lasso,
        pre-selected segments, fewer samples than segments without a penalty, a constant score.
    attributions : (S,) float64
    standard_errors, sign_confidence : (S,) float64, or None
        None where the fit chose its segments from the same samples, which no formula covers.
        Sign confidence is the probability, 0.5 to 1, that an attribution has the sign it shows.
    relative_error : float or None
        How far all attributions together may be off, as a share of their length. None without
        standard errors, or where no segment has an attribution.
    settled, certified : bool or None
        Whether the top five segments are right at 95%, without and with correction for the
        number of comparisons (see ``stopping``); False before there were two blocks. None without
        standard errors, or for a score that hiding did not change, which has no top.
    jaccard_at_5 : float or None
        Overlap of the top five of two fits to independent halves of the samples (see
        ``figures.jaccard``). None for five segments or fewer, where the samples have no independent
        halves, or where neither half has a top.
    control_variates : str
        Whether what segments do together (``"interactions"``) was taken off before the fit.
    insertion_deletion : mapping of str to float, or None
        ``insertion_auc``, ``deletion_auc`` and ``random_auc``, where they were asked for.
    """

    class_index: int
    score: float
    hidden_score: float
    intercept: float
    surrogate_score: float
    r2: float
    press_r2: float | None
    attributions: Floats
    standard_errors: Floats | None
    sign_confidence: Floats | None
    relative_error: float | None
    settled: bool | None
    certified: bool | None
    jaccard_at_5: float | None
    control_variates: ControlVariates
    insertion_deletion: Mapping[str, float] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """The answer for one image: every explained class, and what it took.

    Attributes
    ----------
    predictions : tuple of Prediction
        The five classes with the highest scores, best first (fewer if the model has fewer).
    classes : tuple of ClassExplanation
        In the order asked for; for the top classes, best first.
    segments : (h, w) int32
        Numbered 0 to S-1 without a gap, at the size that the picture has in the model's input.
    segments_sha256 : str
        Of the segments as little-endian int32, row by row.
    segment_numbers : tuple of S int
        What the reader calls the segments: the labels of their own map, or 0 to S-1.
    samples_used, samples_limit : int
        Perturbed images in the fit, and the most there could have been.
    stopped_by : str
        The stopping rule that was met, ``"unchanged"`` where hiding moved no score and more samples
        would tell nothing, or ``"limit"`` where all samples were drawn.
    images_scored : int
        Every image sent to the model: the samples; the hidden image; the untouched one alone, twice
        in a batch, and alone and in that batch again if its scores differ; those of insertion and
        deletion.
    sampler : str
    seed : int
    timings : mapping of str to float
        Seconds: ``segment_s``, ``predict_s`` (with building the images), ``fit_s``.
    score_kind, score_scale : str
        What the scores are, and what attributions and intercepts are in units of.
    warnings : tuple of ResultWarning
        What a reader should know before trusting the answer.
    trust : tuple of Trust
        One for each of ``classes``.
    """

    predictions: tuple[Prediction, ...]
    classes: tuple[ClassExplanation, ...]
    segments: Segments
    segments_sha256: str
    segment_numbers: tuple[int, ...]
    samples_used: int
    samples_limit: int
    stopped_by: StoppedBy
    images_scored: int
    sampler: str
    seed: int
    timings: Mapping[str, float]
    score_kind: ScoreKind
    score_scale: AttributionScale
    warnings: tuple[ResultWarning, ...]
    trust: tuple[Trust, ...]
