"""Pictures that show segments: boundaries, highlight and signed.

Each takes the picture asked for, the scene, and the scene at the picture's size.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.explain.geometry import UNSEEN
from worker.explain.options import Picture
from worker.explain.overlays.colour import SIGN_COLOURS
from worker.explain.overlays.scene import Scene, shown
from worker.explain.overlays.stage import (
    Stage,
    dimmed,
    edges,
    lay_over,
    muted,
    replace,
    stripes,
    tint,
    veil_unseen,
)
from worker.explain.overlays.text import note

HIGHLIGHTED: Final = 5  # Segments that ``highlight`` shows when not told how many.
STRONGEST_OPACITY: Final = 0.65  # Of the segment with the largest |attribution| in ``signed``.

_BOUNDARY: Final = (255, 214, 0)
_WHITE: Final = (255, 255, 255)
_BLACK: Final = (0, 0, 0)
_NOTHING_FOR: Final = "No segment speaks for this class."
NOTHING: Final = "No segment has an attribution."


def boundaries(picture: Picture, scene: Scene, stage: Stage) -> Image.Image:
    """Draw segment boundaries: a yellow line with a dark edge, seen on any colour."""
    image = veil_unseen(stage.photo, stage)
    shadow = edges(stage.segments, width=stage.line + 2)
    line = edges(stage.segments, width=stage.line)
    return tint(tint(image, shadow, _BLACK, 0.35), line, _BOUNDARY, 0.95)


def highlight(picture: Picture, scene: Scene, stage: Stage) -> Image.Image:
    """Leave the strongest positive segments as they are; grey and dim the rest, or black it out."""
    asked = picture
    if picture.top_k is None and picture.coverage is None:
        asked = picture.model_copy(update={"top_k": HIGHLIGHTED})
    chosen = shown(asked, scene, positive_only=True)
    kept = stage.where(chosen)
    image = replace(_rest(stage, hide=picture.hide_rest), stage.photo, kept)
    image = veil_unseen(image, stage)
    if not kept.any():
        return note(image, _NOTHING_FOR)
    return tint(image, edges(kept, width=stage.line), _WHITE, 0.9)


def signed(picture: Picture, scene: Scene, stage: Stage) -> Image.Image:
    """Colour what speaks for the class and what speaks against it, opacity by |attribution|.

    The photograph loses its own colour, so that a colour means a sign and nothing else.
    """
    chosen = shown(picture, scene)
    base = muted(stage.photo)
    limited = picture.top_k is not None or picture.coverage is not None or picture.positive_only
    if limited or picture.hide_rest:
        rest = _rest(stage, hide=picture.hide_rest)
        base = replace(rest, base, stage.where(chosen))
    image = lay_over(base, stage.segments, _sign_table(picture, scene.attributions, chosen))
    if picture.outline:
        image = _pattern(image, picture, scene.attributions, chosen, stage)
    image = veil_unseen(image, stage)
    return image if chosen.any() else note(image, NOTHING)


def _rest(stage: Stage, *, hide: bool) -> Image.Image:
    if hide:
        return Image.new("RGB", stage.size)
    return dimmed(stage.photo, 0.35)


def _sign_table(
    picture: Picture, attributions: NDArray[np.float64], chosen: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Colour and opacity of each segment: uint8 (S, 4)."""
    colours = SIGN_COLOURS[picture.colours]
    strength = np.where(chosen, np.abs(attributions), 0.0)
    rgba = np.empty((len(attributions), 4), dtype=np.uint8)
    rgba[:, :3] = np.where(attributions[:, None] > 0, colours.positive, colours.negative)
    rgba[:, 3] = np.round(255 * STRONGEST_OPACITY * strength / max(strength.max(), 1e-300))
    return rgba


def _pattern(
    image: Image.Image,
    picture: Picture,
    attributions: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    stage: Stage,
) -> Image.Image:
    """Outline what is shown and hatch what speaks against, so that no colour is needed."""
    line = stage.line
    negative = chosen & (attributions < 0)
    regions = np.where(stage.where(chosen), stage.segments, UNSEEN)
    hatch = stripes(stage.size, period=8 * line, width=line, rising=True) & stage.where(negative)
    image = tint(image, hatch, _BLACK, 0.75)
    image = tint(image, edges(regions, width=line + 2), _BLACK, 0.5)
    return tint(image, edges(regions, width=line), _WHITE, 1.0)
