"""One axis of the map between an upload and the model's input, for each way to resize.

===============  =====================================  ==========================================
resize           what is seen of the upload             where it lies in the model's input
===============  =====================================  ==========================================
``stretch``      all of it                              everywhere
``crop``         the largest centred rectangle that     everywhere
                 has the input's aspect ratio
``pad``          all of it                              the largest centred rectangle that has the
                                                        upload's aspect ratio; black around it
``short-side``   the upload is resized until its        everywhere; in the centre, with black
                 shorter side has a given length; of    around it, where that is less than the
                 that, a centred rectangle of the       input
                 input's size
===============  =====================================  ==========================================

Where whole pixels have to be chosen, libraries round differently: Pillow takes fractions of pixels
of the upload (``ImageOps.fit``) and rounds the length of what is padded (``ImageOps.pad``), Keras
(``smart_resize``) and TensorFlow (``resize_with_pad``) take whole pixels and cut the rest off. That
of the shorter side is torchvision's (``Resize``, ``CenterCrop``), whose words these are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

UNSEEN: Final = -1

Resize = Literal["stretch", "crop", "pad", "short-side"]
Sides = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Span:
    """One axis of the map: a stretch of the upload is resized, and part of that is seen.

    Attributes
    ----------
    box_start, box_stop : float
        What is resized, in upload pixels.
    resized : int
        The length that it then has, in input pixels.
    cut : int
        How many of those come before the first that the model sees.
    offset, length : int
        Where the model sees them, in input pixels.
    """

    box_start: float
    box_stop: float
    resized: int
    cut: int
    offset: int
    length: int

    @property
    def scale(self) -> float:
        """Upload pixels per input pixel."""
        return (self.box_stop - self.box_start) / self.resized

    @property
    def start(self) -> float:
        """Where what the model sees starts, in upload pixels."""
        return self.box_start + self.cut * self.scale

    @property
    def stop(self) -> float:
        """Where what the model sees stops, in upload pixels."""
        return self.box_stop - (self.resized - self.cut - self.length) * self.scale

    @property
    def seen(self) -> slice:
        """The part of what was resized that the model sees."""
        return slice(self.cut, self.cut + self.length)

    @property
    def frame(self) -> slice:
        """The part of the model's input in which it lies."""
        return slice(self.offset, self.offset + self.length)

    def to_input(self, size: int) -> NDArray[np.intp]:
        """For each of ``size`` upload pixels the input pixel that holds its centre, or UNSEEN."""
        centres = np.arange(size) + 0.5
        within = np.floor((centres - self.start) / self.scale).astype(np.intp)
        # Rounding in the division must not push a centre on the window's far edge out of it.
        inside = (centres >= self.start) & (centres < self.stop)
        index = self.offset + np.clip(within, 0, self.length - 1)
        return np.where(inside, index, UNSEEN)

    def to_upload(self, size: int, *, input_size: int) -> NDArray[np.intp]:
        """For each of ``input_size`` input pixels the upload pixel at its centre, or UNSEEN."""
        within = np.arange(input_size) - self.offset
        nearest = np.floor(self.start + (within + 0.5) * self.scale).astype(np.intp)
        inside = (within >= 0) & (within < self.length)
        return np.where(inside, np.clip(nearest, 0, size - 1), UNSEEN)


def spans(
    resize: Resize, upload: Sides, model: Sides, *, whole_pixels: bool, short_side: int | None
) -> tuple[Span, Span]:
    """Return the map on the vertical and on the horizontal axis.

    Parameters
    ----------
    resize : {"stretch", "crop", "pad", "short-side"}
    upload, model : tuple of int
        Height and width, in pixels.
    whole_pixels : bool
        Whether to round as Keras and TensorFlow do, and not as Pillow.
    short_side : int or None
        In pixels; for ``short-side`` only.

    Raises
    ------
    ValueError
        If ``short-side`` comes without a length.
    """
    if resize == "short-side":
        if short_side is None:
            raise ValueError("short-side needs the length of the shorter side")
        return _short_side(upload, model, short_side)
    if resize == "stretch":
        rows, columns = (
            Span(0.0, float(u), m, 0, 0, m) for u, m in zip(upload, model, strict=True)
        )
        return rows, columns
    if resize == "crop":
        return _crop(upload, model, whole_pixels=whole_pixels)
    return _pad(upload, model, whole_pixels=whole_pixels)


def _crop(upload: Sides, model: Sides, *, whole_pixels: bool) -> tuple[Span, Span]:
    scale = min(u / m for u, m in zip(upload, model, strict=True))

    def centred(size: int, length: int, other: int, other_length: int) -> Span:
        if whole_pixels:
            window = float(max(min(size, int(other * length / other_length)), 1))
            start = float(int((size - window) / 2))
        else:
            window = min(length * scale, float(size))
            start = (size - window) / 2
        return Span(start, start + window, length, 0, 0, length)

    (height, width), (rows, columns) = upload, model
    return centred(height, rows, width, columns), centred(width, columns, height, rows)


def _pad(upload: Sides, model: Sides, *, whole_pixels: bool) -> tuple[Span, Span]:
    scale = max(u / m for u, m in zip(upload, model, strict=True))
    # TensorFlow computes these in single precision, which decides where a quotient is near a whole.
    scale32 = max(np.float32(u) / np.float32(m) for u, m in zip(upload, model, strict=True))

    def centred(size: int, length: int) -> Span:
        if whole_pixels:
            exact = np.float32(size) / scale32
            frame = min(max(int(exact), 1), length)
            offset = max(int((np.float32(length) - exact) / 2), 0)
        else:
            frame = min(max(round(size / scale), 1), length)
            offset = (length - frame) // 2
        return Span(0.0, float(size), frame, 0, offset, frame)

    return centred(upload[0], model[0]), centred(upload[1], model[1])


def _short_side(upload: Sides, model: Sides, short_side: int) -> tuple[Span, Span]:
    shorter = min(upload)

    def centred(size: int, length: int) -> Span:
        resized = short_side if size == shorter else int(short_side * size / shorter)
        seen = min(resized, length)
        # Python's round, as in torchvision: halves go to the even number.
        cut = round((resized - seen) / 2)
        return Span(0.0, float(size), resized, cut, (length - seen) // 2, seen)

    return centred(upload[0], model[0]), centred(upload[1], model[1])
