"""Between the two pixel spaces: the upload's, which people see, and the model's input.

Both are continuous planes whose pixel (row i, column j) covers [i, i+1) × [j, j+1). The model sees
a rectangle of the upload, drawn onto a rectangle of its input: ``worker.explain.spans`` says which.

The upload is in EXIF orientation, as people see it. Where production ignores that orientation, the
model sees the pixels as they are stored: on their side, say. Pictures and boxes stay upright.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.explain.resampling import Library, resample, resize_by_pillow, to_bytes
from worker.explain.spans import UNSEEN, Resize, Span, spans

__all__ = ["UNSEEN", "Geometry"]

Element = TypeVar("Element", bound=np.generic)

UPRIGHT = 1
_ON_ITS_SIDE = frozenset({5, 6, 7, 8})
# What makes stored pixels upright, after their axes have changed places for those on their side.
_UPSIDE_DOWN = frozenset({3, 4, 7, 8})
_MIRRORED = frozenset({2, 3, 6, 7})


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """How one upload becomes the model's input, and how segments find their way back.

    Attributes
    ----------
    resize : {"stretch", "crop", "pad", "short-side"}
        What happens to the aspect ratio. See ``worker.explain.spans``.
    interpolation : str
        One of ``worker.explain.resampling.FILTERS`` of the library.
    upload_size, input_size : tuple of int
        (height, width) in pixels.
    channels : {1, 3}
        Of the model's input. One channel is luma, as ITU-R 601-2 weighs it.
    library : {"pillow", "tensorflow", "torch", "opencv"}
        Whose filters are meant. See ``worker.explain.resampling``.
    antialias : bool
        Whether filters widen when they reduce, so that every upload pixel counts. Pillow's do.
    short_side : int or None
        Length of the shorter side for ``short-side``, in pixels.
    orientation : int
        The EXIF orientation, 1 to 8, that made the upload upright and that the model does not see;
        1 if it sees the upload as people do.
    """

    resize: Resize
    interpolation: str
    upload_size: tuple[int, int]
    input_size: tuple[int, int]
    channels: Literal[1, 3]
    library: Library = "pillow"
    antialias: bool = True
    short_side: int | None = None
    orientation: int = UPRIGHT

    @cached_property
    def spans(self) -> tuple[Span, Span]:
        """The map on the vertical and on the horizontal axis of the model's input."""
        return spans(
            self.resize,
            self._stored_size,
            self.input_size,
            whole_pixels=self.library != "pillow",
            short_side=self.short_side,
        )

    @property
    def _stored_size(self) -> tuple[int, int]:
        height, width = self.upload_size
        return (width, height) if self.orientation in _ON_ITS_SIDE else (height, width)

    @property
    def frame(self) -> tuple[slice, slice]:
        """Rows and columns of the model's input that show the upload; the others are padding."""
        rows, columns = self.spans
        return rows.frame, columns.frame

    @property
    def input_pixel(self) -> tuple[float, float]:
        """Height and width of one pixel of the model's input, in upload pixels."""
        rows, columns = self.spans
        if self.orientation in _ON_ITS_SIDE:
            return columns.scale, rows.scale
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
        return to_bytes(self.to_unrounded_input(rgb))

    def to_unrounded_input(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8] | NDArray[np.float32]:
        """Resize an upload as production does, and do not round what its library returns as floats.

        What is perturbed has 8 bits. This is for those who compare with what production gets.
        """
        if rgb.dtype != np.uint8 or rgb.shape != (*self.upload_size, 3):
            raise ValueError(f"not a uint8 image of {self.upload_size}: {rgb.dtype} {rgb.shape}")
        resized = self._resized(self._as_stored(rgb))
        seen = np.zeros((*self.input_size, self.channels), dtype=resized.dtype)
        seen[self.frame] = resized
        return seen

    def _resized(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8] | NDArray[np.float32]:
        """Resize stored pixels and cut out what the model sees, with the model's channels."""
        rows, columns = self.spans
        pixels = _luma(rgb) if self.channels == 1 else rgb
        size = rows.resized, columns.resized
        if self.library == "pillow":
            box = columns.box_start, rows.box_start, columns.box_stop, rows.box_stop
            resized = resize_by_pillow(pixels, size, interpolation=self.interpolation, box=box)
            return resized[rows.seen, columns.seen]
        return resample(
            pixels[
                int(rows.box_start) : int(rows.box_stop),
                int(columns.box_start) : int(columns.box_stop),
            ],
            size,
            library=self.library,
            interpolation=self.interpolation,
            antialias=self.antialias,
            part=(rows.seen, columns.seen),
        )

    def labels_to_input(self, labels: NDArray[np.integer]) -> NDArray[np.int32]:
        """Bring a label map of the upload to the model's input, by the nearest pixel.

        Parameters
        ----------
        labels : integer array, shape (Hu, Wu)
            Not negative.

        Returns
        -------
        int32 array, shape (h, w)
            Of the frame: padding is no part of the upload and has no label. Small segments may
            vanish when the upload is larger than the input.

        Raises
        ------
        ValueError
            If the map is not of this geometry's upload size.
        """
        if labels.shape != self.upload_size:
            raise ValueError(f"label map {labels.shape} for an upload of {self.upload_size}")
        (rows, columns), (height, width) = self.spans, self._stored_size
        found = _look_up(
            self._as_stored(labels),
            rows.to_upload(height, input_size=self.input_size[0]),
            columns.to_upload(width, input_size=self.input_size[1]),
        )
        return np.ascontiguousarray(found[self.frame])

    def seen(self, labels: NDArray[Element]) -> NDArray[Element]:
        """Return the part of a label map of the upload that the model sees, as a view."""
        (rows, columns), (height, width) = self.spans, self._stored_size
        stored = self._as_stored(labels)
        return stored[_inside(rows.to_input(height)), _inside(columns.to_input(width))]

    def labels_to_upload(self, segments: NDArray[np.integer]) -> NDArray[np.int32]:
        """Bring segments of the model's input to the upload, by the nearest pixel.

        Parameters
        ----------
        segments : integer array, shape (h, w)
            Of the frame.

        Returns
        -------
        int32 array, shape (Hu, Wu)
            ``UNSEEN`` where the model does not look.

        Raises
        ------
        ValueError
            If the array is not of the frame's size.
        """
        (rows, columns), (height, width) = self.spans, self._stored_size
        if segments.shape != (rows.length, columns.length):
            raise ValueError(
                f"segments {segments.shape} for a frame of {rows.length} × {columns.length}"
            )
        whole = np.full(self.input_size, UNSEEN, dtype=np.int32)
        whole[self.frame] = segments
        return self._upright(_look_up(whole, rows.to_input(height), columns.to_input(width)))

    def _as_stored(self, upright: NDArray[Element]) -> NDArray[Element]:
        """Bring pixels of the upload to where they lie in its file; a view."""
        stored = self._flipped(upright)
        return stored.swapaxes(0, 1) if self.orientation in _ON_ITS_SIDE else stored

    def _upright(self, stored: NDArray[Element]) -> NDArray[Element]:
        """Bring pixels from where they lie in the file to where people see them."""
        turned = stored.swapaxes(0, 1) if self.orientation in _ON_ITS_SIDE else stored
        return np.ascontiguousarray(self._flipped(turned))

    def _flipped(self, pixels: NDArray[Element]) -> NDArray[Element]:
        return pixels[
            :: -1 if self.orientation in _UPSIDE_DOWN else 1,
            :: -1 if self.orientation in _MIRRORED else 1,
        ]


def _luma(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).convert("L"))[..., np.newaxis]


def _look_up(
    labels: NDArray[np.integer],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
) -> NDArray[np.int32]:
    # Type last: a label map of a photograph is large.
    taken = labels.take(rows, axis=0, mode="clip").take(columns, axis=1, mode="clip")
    found = taken.astype(np.int32, copy=False)
    found[rows == UNSEEN, :] = UNSEEN
    found[:, columns == UNSEEN] = UNSEEN
    return found


def _inside(found: NDArray[np.intp]) -> slice:
    """Return where an axis is seen, which is one piece of it."""
    inside = found != UNSEEN
    start = int(inside.argmax())
    return slice(start, start + int(inside.sum()))
