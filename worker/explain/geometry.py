"""Between the two pixel spaces: the upload's, which people see, and the model's input.

Both are continuous planes whose pixel (row i, column j) covers [i, i+1) × [j, j+1). The model sees
a rectangle of the upload (its *window*), drawn onto a rectangle of its input (its *frame*):

===========  =========================================  ==========================================
resize       window                                     frame
===========  =========================================  ==========================================
``stretch``  the whole upload                           the whole input
``crop``     the largest centred rectangle that has     the whole input
             the input's aspect ratio
``pad``      the whole upload                           the largest centred rectangle that has the
                                                        upload's aspect ratio; black around it
===========  =========================================  ==========================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

UNSEEN: Final = -1

_RESAMPLING: Final = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "area": Image.Resampling.BOX,
}


@dataclass(frozen=True, slots=True)
class Span:
    """One axis of the map: [start, stop) of the upload is drawn onto frame pixels of the input.

    Attributes
    ----------
    start, stop : float
        The window on this axis, in upload pixels.
    offset, length : int
        The frame on this axis, in input pixels.
    """

    start: float
    stop: float
    offset: int
    length: int

    @property
    def scale(self) -> float:
        """Upload pixels per input pixel."""
        return (self.stop - self.start) / self.length

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


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """How one upload becomes the model's input, and how segments find their way back.

    Attributes
    ----------
    resize : {"stretch", "crop", "pad"}
        What happens to the aspect ratio. See the module's table.
    interpolation : {"bilinear", "bicubic", "area"}
        Pillow's filters (``area`` is its BOX). Like Pillow they widen when they reduce, so that
        every upload pixel counts.
    upload_size, input_size : tuple of int
        (height, width) in pixels.
    channels : {1, 3}
        Of the model's input. One channel is luma, as ITU-R 601-2 weighs it.
    """

    resize: Literal["stretch", "crop", "pad"]
    interpolation: Literal["bilinear", "bicubic", "area"]
    upload_size: tuple[int, int]
    input_size: tuple[int, int]
    channels: Literal[1, 3]

    @property
    def spans(self) -> tuple[Span, Span]:
        """The map on the vertical and on the horizontal axis."""
        return _SPANS[self.resize](self.upload_size, self.input_size)

    @property
    def input_pixel(self) -> tuple[float, float]:
        """Height and width of one pixel of the model's input, in upload pixels."""
        rows, columns = self.spans
        return rows.scale, columns.scale

    def to_input(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize an upload as production does.

        Parameters
        ----------
        rgb : uint8 array, shape (Hu, Wu, 3)
            The upload.

        Returns
        -------
        uint8 array, shape (H, W, channels)
            A new array at the model's input size.

        Raises
        ------
        ValueError
            If the array is not uint8 of this geometry's upload size.
        """
        if rgb.dtype != np.uint8 or rgb.shape != (*self.upload_size, 3):
            raise ValueError(f"not a uint8 image of {self.upload_size}: {rgb.dtype} {rgb.shape}")
        rows, columns = self.spans
        upload = Image.fromarray(rgb)
        frame = (upload.convert("L") if self.channels == 1 else upload).resize(
            (columns.length, rows.length),
            _RESAMPLING[self.interpolation],
            box=(columns.start, rows.start, columns.stop, rows.stop),
        )
        seen = np.zeros((*self.input_size, self.channels), dtype=np.uint8)
        seen[
            rows.offset : rows.offset + rows.length,
            columns.offset : columns.offset + columns.length,
        ] = np.asarray(frame, dtype=np.uint8).reshape(rows.length, columns.length, self.channels)
        return seen

    def labels_to_input(self, labels: NDArray[np.integer]) -> NDArray[np.int32]:
        """Bring a label map of the upload to the model's input, by the nearest pixel.

        Parameters
        ----------
        labels : integer array, shape (Hu, Wu)
            Not negative.

        Returns
        -------
        int32 array, shape (H, W)
            Padding, which is no part of the upload, gets a label of its own, one above the
            highest. Small segments may vanish when the upload is larger than the input.

        Raises
        ------
        ValueError
            If the map is not of this geometry's upload size.
        """
        if labels.shape != self.upload_size:
            raise ValueError(f"label map {labels.shape} for an upload of {self.upload_size}")
        (rows, columns), (height, width) = self.spans, self.upload_size
        padding = int(labels.max()) + 1
        return _look_up(
            labels,
            rows.to_upload(height, input_size=self.input_size[0]),
            columns.to_upload(width, input_size=self.input_size[1]),
            outside=padding,
        )

    def labels_to_upload(self, segments: NDArray[np.integer]) -> NDArray[np.int32]:
        """Bring segments of the model's input to the upload, by the nearest pixel.

        Parameters
        ----------
        segments : integer array, shape (H, W)

        Returns
        -------
        int32 array, shape (Hu, Wu)
            ``UNSEEN`` where the model does not look. Segments of the padding are not in it.

        Raises
        ------
        ValueError
            If the array is not of this geometry's input size.
        """
        if segments.shape != self.input_size:
            raise ValueError(f"segments {segments.shape} for an input of {self.input_size}")
        (rows, columns), (height, width) = self.spans, self.upload_size
        return _look_up(segments, rows.to_input(height), columns.to_input(width), outside=UNSEEN)


def _look_up(
    labels: NDArray[np.integer],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    *,
    outside: int,
) -> NDArray[np.int32]:
    found = labels.astype(np.int32).take(rows, axis=0, mode="clip")
    found = found.take(columns, axis=1, mode="clip")
    found[rows == UNSEEN, :] = outside
    found[:, columns == UNSEEN] = outside
    return found


def _stretch(upload: tuple[int, int], model: tuple[int, int]) -> tuple[Span, Span]:
    rows, columns = (Span(0.0, float(u), 0, m) for u, m in zip(upload, model, strict=True))
    return rows, columns


def _crop(upload: tuple[int, int], model: tuple[int, int]) -> tuple[Span, Span]:
    scale = min(u / m for u, m in zip(upload, model, strict=True))

    def centred(size: int, length: int) -> Span:
        window = min(length * scale, float(size))
        start = (size - window) / 2
        return Span(start, start + window, 0, length)

    return centred(upload[0], model[0]), centred(upload[1], model[1])


def _pad(upload: tuple[int, int], model: tuple[int, int]) -> tuple[Span, Span]:
    scale = max(u / m for u, m in zip(upload, model, strict=True))

    def centred(size: int, length: int) -> Span:
        frame = min(max(round(size / scale), 1), length)
        return Span(0.0, float(size), (length - frame) // 2, frame)

    return centred(upload[0], model[0]), centred(upload[1], model[1])


_SPANS: Final = {"stretch": _stretch, "crop": _crop, "pad": _pad}
