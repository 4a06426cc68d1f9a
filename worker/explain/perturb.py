"""Perturbed images: the image with some segments replaced by the baseline, built batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from worker.explain.explanation import Image, Samples, Segments


@dataclass(frozen=True, kw_only=True, eq=False)
class Hiding:
    """What it means to hide a segment of one image.

    Attributes
    ----------
    image, baseline : (H, W, C) uint8
        What a kept and what a hidden segment shows.
    segments : (H, W) int32
        Numbered 0 to S-1 without a gap.
    """

    image: Image
    baseline: Image
    segments: Segments

    @property
    def segment_count(self) -> int:
        """S."""
        return int(self.segments.max()) + 1


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
    fill = hiding.baseline.ravel()
    difference = hiding.image.ravel() ^ fill
    # One mask entry per byte of the image, so that the bit operations run over flat memory.
    positions = np.repeat(hiding.segments.ravel().astype(np.intp), hiding.image.shape[2])
    masks = np.where(samples, np.uint8(255), np.uint8(0))
    parts = np.array_split(masks, -(-len(masks) // batch_size))
    buffer = np.empty((len(parts[0]), fill.size), dtype=np.uint8)
    for part in parts:
        for row, out in zip(part, buffer, strict=False):
            # Without mode="clip" numpy would go through a copy to keep `out` whole on an error.
            np.take(row, positions, out=out, mode="clip")
            np.bitwise_and(out, difference, out=out)
            np.bitwise_xor(out, fill, out=out)
        yield buffer[: len(part)].reshape(len(part), *hiding.image.shape)
