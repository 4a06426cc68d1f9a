"""What a picture is of, and which of its segments a picture shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from worker.explain.geometry import UNSEEN
from worker.explain.options import AttributionScale, Picture, ScoreKind
from worker.explain.result_warning import ResultWarning, TrustLevel


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One explained class of one upload.

    Attributes
    ----------
    upload : uint8 array, shape (Hu, Wu, 3)
        The upload, after EXIF orientation.
    segments : int32 array, shape (Hu, Wu)
        Segment of each upload pixel, 0..S-1; -1 where the model does not look.
    attributions : float64 array, shape (S,)
        In units of the score scale.
    class_name : str
    score : float
        What the model says of the untouched image.
    score_kind : str
        What that is: a ``probability`` or a ``score``.
    r2, press_r2 : float or None
        Fidelity in sample and leave-one-out.
    unit : str
        What attributions are in: ``probability``, ``score`` or ``logit``.
    trust : str
        How far to trust them.
    warnings : tuple of ResultWarning
        What speaks against them.
    input_pixel : tuple of float, or None
        Height and width of one pixel of the model's input in upload pixels
        (``Geometry.input_pixel``), which smoothing is measured in. None: they are the same.
    """

    upload: NDArray[np.uint8]
    segments: NDArray[np.int32]
    attributions: NDArray[np.float64]
    class_name: str
    score: float
    r2: float | None
    press_r2: float | None
    unit: AttributionScale
    score_kind: ScoreKind = "probability"
    trust: TrustLevel = "good"
    warnings: tuple[ResultWarning, ...] = ()
    input_pixel: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.upload.dtype != np.uint8 or self.upload.shape != (*self.segments.shape, 3):
            raise ValueError(
                f"an upload {self.upload.dtype} {self.upload.shape} does not fit segments "
                f"{self.segments.shape}"
            )
        if self.attributions.ndim != 1 or self.segments.max() >= len(self.attributions):
            raise ValueError(
                f"{self.attributions.shape} attributions for segments up to {self.segments.max()}"
            )
        if not np.isfinite(self.attributions).all():
            raise ValueError("attributions must be finite")

    def segments_at(self, size: tuple[int, int]) -> NDArray[np.int32]:
        """Sample the segments at (width, height), by the nearest upload pixel."""
        height, width = self.segments.shape
        rows = (np.arange(size[1]) + 0.5) * (height / size[1])
        columns = (np.arange(size[0]) + 0.5) * (width / size[0])
        return self.segments[np.ix_(rows.astype(np.intp), columns.astype(np.intp))]

    @cached_property
    def areas(self) -> NDArray[np.intp]:
        """Upload pixels of each segment, shape (S,)."""
        # Counted once for all pictures: on a photograph of 16 megapixels it costs as much as one.
        counted = np.bincount(self.segments.ravel() - UNSEEN, minlength=len(self.attributions) + 1)
        return counted[1:]

    @property
    def segment_count(self) -> int:
        """Segments that have a pixel on the upload."""
        return int(np.count_nonzero(self.areas))


def shown(
    picture: Picture, scene: Scene, *, positive_only: bool | None = None
) -> NDArray[np.bool_]:
    """Choose the segments that a picture shows.

    A segment without an attribution, or without a pixel on the upload (padding), is never shown
    and takes no place among the k. Of equal attributions the lower segment number goes first.

    Parameters
    ----------
    picture : Picture
        Its ``top_k``: that many, the largest magnitude first. Its ``coverage``: the
        strongest, until together they cover at least that share of the upload; one at least.
    positive_only : bool, optional
        Overrides the picture's own.

    Returns
    -------
    bool array, shape (S,)
    """
    only_positive = picture.positive_only if positive_only is None else positive_only
    areas = scene.areas
    strength = np.maximum(scene.attributions, 0) if only_positive else np.abs(scene.attributions)
    strength = np.where(areas > 0, strength, 0)
    order = np.argsort(-strength, kind="stable")[: np.count_nonzero(strength)]
    if picture.top_k is not None:
        order = order[: picture.top_k]
    elif picture.coverage is not None:
        covered = np.cumsum(areas[order]) / scene.segments.size
        order = order[: int(np.searchsorted(covered, picture.coverage)) + 1]
    chosen = np.zeros(len(strength), dtype=np.bool_)
    chosen[order] = True
    return chosen
