"""The photograph and its segments at the size of a picture, and what can be done to them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.explain.geometry import UNSEEN
from worker.explain.overlays.scene import Scene

# Smaller uploads are enlarged by a whole factor, so that text and lines on them can be read and
# a pixel of the upload stays a square.
READABLE_SIDE: Final = 400

_MID_GREY: Final = (128, 128, 128)
_CONTRAST: Final = 0.75  # What ``muted`` leaves.

Mask = NDArray[np.bool_]
Colour = tuple[int, int, int]


def picture_size(upload: tuple[int, int], *, max_side: int) -> tuple[int, int]:
    """Width and height at which to show an upload of (width, height).

    Large uploads shrink to ``max_side``; small ones grow by a whole factor to at least
    ``READABLE_SIDE``, within ``max_side``; others keep their size.
    """
    longest = max(upload)
    factor = min(max(1, math.ceil(READABLE_SIDE / longest)), max_side / longest)
    return max(1, round(upload[0] * factor)), max(1, round(upload[1] * factor))


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A scene at the size of a picture.

    Attributes
    ----------
    photo : PIL.Image.Image
        RGB, (width, height) of the picture.
    segments : int32 array, shape (height, width)
        By the nearest upload pixel; -1 unseen.
    """

    photo: Image.Image
    segments: NDArray[np.int32]

    @classmethod
    def of(cls, scene: Scene, size: tuple[int, int]) -> Stage:
        """Bring a scene to (width, height)."""
        upload = Image.fromarray(scene.upload)
        photo = (
            upload
            if upload.size == size
            else upload.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
        )
        return cls(photo=photo, segments=scene.segments_at(size))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.photo.size

    @property
    def line(self) -> int:
        """Width of lines in pixels: as thin as can be seen at this size."""
        return max(1, round(max(self.size) / 640))

    @property
    def unseen(self) -> Mask:
        """Where the model does not look."""
        mask: Mask = self.segments == UNSEEN
        return mask

    def where(self, chosen: Mask) -> Mask:
        """Pixels of the chosen segments; ``chosen`` has shape (S,)."""
        # The False at the end is what UNSEEN, -1, looks up.
        return np.append(chosen, np.False_)[self.segments]


def edges(regions: NDArray[np.integer] | Mask, *, width: int) -> Mask:
    """Pixels on the border between regions, in lines of ``width`` pixels that straddle it."""
    border = np.zeros(regions.shape, dtype=np.bool_)
    border[:, 1:] = regions[:, 1:] != regions[:, :-1]
    border[1:] |= regions[1:] != regions[:-1]
    for step in range(1, width):
        # Thickened towards the origin and away from it in turn, so that the line stays centred.
        if step % 2:
            border[:, :-1] |= border[:, 1:]
            border[:-1] |= border[1:]
        else:
            border[:, 1:] |= border[:, :-1]
            border[1:] |= border[:-1]
    return border


def stripes(size: tuple[int, int], *, period: int, width: int, rising: bool) -> Mask:
    """Diagonal lines over (width, height): rising to the right, or falling."""
    columns = np.arange(size[0])[None, :]
    rows = np.arange(size[1])[:, None]
    return (columns + rows if rising else columns - rows) % period < width


def tint(image: Image.Image, mask: Mask, colour: Colour, opacity: float) -> Image.Image:
    """Lay a colour over the pixels of a mask."""
    alpha = Image.fromarray(mask.astype(np.uint8) * np.uint8(round(255 * opacity)))
    tinted = image.copy()
    tinted.paste(colour, (0, 0, *image.size), mask=alpha)
    return tinted


def replace(image: Image.Image, other: Image.Image, mask: Mask) -> Image.Image:
    """Take the pixels of a mask from another image of the same size."""
    return Image.composite(other, image, Image.fromarray(mask.astype(np.uint8) * np.uint8(255)))


def lay_over(
    image: Image.Image, segments: NDArray[np.int32], rgba: NDArray[np.uint8]
) -> Image.Image:
    """Give each segment a colour of some opacity: ``rgba`` uint8 (S, 4); unseen stays as it is."""
    # The transparent row at the end is what UNSEEN, -1, looks up.
    table = np.concatenate([rgba, np.zeros((1, 4), np.uint8)]).view(np.uint32)[:, 0]
    layer = Image.fromarray(table[segments].view(np.uint8).reshape(*segments.shape, 4))
    covered = image.copy()
    covered.paste(layer.convert("RGB"), mask=layer.getchannel("A"))
    return covered


def muted(photo: Image.Image) -> Image.Image:
    """Take away all colour and some contrast, so that a colour laid on it means one thing.

    Red wood would look like evidence against, and no tint can be seen on black.
    """
    grey = photo.convert("L").convert("RGB")
    return Image.blend(Image.new("RGB", photo.size, _MID_GREY), grey, _CONTRAST)


def dimmed(photo: Image.Image, brightness: float) -> Image.Image:
    """Grey and darken what is not the subject (0: black)."""
    return Image.blend(Image.new("RGB", photo.size), photo.convert("L").convert("RGB"), brightness)


def veil_unseen(image: Image.Image, stage: Stage) -> Image.Image:
    """Darken and hatch what the model does not look at, in every style alike."""
    unseen = stage.unseen
    if not unseen.any():
        return image
    line = stage.line
    hatch = stripes(stage.size, period=9 * line, width=line, rising=False)
    dark = dimmed(stage.photo, 0.3)
    return replace(image, tint(dark, hatch, (150, 150, 150), 0.6), unseen)
