"""Perturbed images: the image with some segments replaced by the baseline, built batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.explain.explanation import WHOLE, Floats, Frame, Image, Samples, Segments


@dataclass(frozen=True, kw_only=True, eq=False)
class Hiding:
    """What it means to hide a segment of one image.

    Attributes
    ----------
    image : (H, W, C) uint8
        The untouched image as the model is given it, with padding if there is any.
    baseline : (h, w, C) uint8
        What hidden segments show.
    segments : (h, w) int32
        Numbered 0 to S-1 without a gap.
    frame : Frame
        Where in the image the segments lie, h × w pixels. What is around them is padding: every
        perturbed image shows it as the untouched one does.
    numbers : tuple of S int, or None
        What the reader calls the segments; None: as they are numbered here.
    """

    image: Image
    baseline: Image
    segments: Segments
    frame: Frame = WHOLE
    numbers: tuple[int, ...] | None = None

    @property
    def picture(self) -> Image:
        """(h, w, C) uint8: the image without padding, which kept segments show."""
        return self.image[self.frame]

    def number(self, segment: int) -> int:
        """Tell what the reader calls a segment."""
        return segment if self.numbers is None else self.numbers[segment]

    @property
    def segment_count(self) -> int:
        """S."""
        return int(self.segments.max()) + 1

    @property
    def areas(self) -> Floats:
        """(S,): the segments' shares of the picture."""
        return np.bincount(self.segments.ravel()) / self.segments.size


def batches(hiding: Hiding, samples: Samples, *, batch_size: int) -> Iterator[Image]:
    """Build the perturbed images of some samples.

    Each pixel is ``baseline ^ (mask & (image ^ baseline))`` with a mask of all ones where its
    segment is kept and zero where it is hidden: the same bytes as copying segment by segment, in
    a fraction of the time.

    Parameters
    ----------
    hiding : Hiding
    samples : (n, S) bool
        True where a segment is kept.
    batch_size : int
        The most images in one batch. The batches are as equal as can be, because a small one at
        the end costs a call like a full one.

    Yields
    ------
    (m, H, W, C) uint8
        A view of one buffer that the next batch overwrites: read it, or copy it, before taking
        the next. No more than one batch is ever in memory.
    """
    if not len(samples):
        return
    hidden = hiding.image.copy()
    hidden[hiding.frame] = hiding.baseline
    fill = hidden.ravel()
    difference = hiding.image.ravel() ^ fill
    order, lengths = _runs(hiding)
    masks = np.where(samples, np.uint8(255), np.uint8(0))
    parts = np.array_split(masks, -(-len(masks) // batch_size))
    buffer = np.empty((len(parts[0]), fill.size), dtype=np.uint8)
    for part in parts:
        for row, out in zip(part, buffer, strict=False):
            np.bitwise_and(np.repeat(row[order], lengths), difference, out=out)
            np.bitwise_xor(out, fill, out=out)
        yield buffer[: len(part)].reshape(len(part), *hiding.image.shape)


def _runs(hiding: Hiding) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which segment each run of the flat image belongs to, and how many bytes the run has.

    A mask is made of its runs three times as fast as byte by byte. Padding has no segment, and
    any may stand for it: there is nothing in it that a mask could show or hide.
    """
    segments = np.zeros(hiding.image.shape[:2], dtype=np.intp)
    segments[hiding.frame] = hiding.segments
    flat = segments.ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=-1))
    return flat[starts], np.diff(starts, append=flat.size) * hiding.image.shape[2]
