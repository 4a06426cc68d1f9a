"""The heat map: attributions per pixel as colours, and the bar that says what they mean."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import filters

from worker.explain.geometry import UNSEEN
from worker.explain.options import Picture
from worker.explain.overlays.colour import Bar, Scale
from worker.explain.overlays.scene import Scene
from worker.explain.overlays.stage import Stage, muted, picture_size, veil_unseen
from worker.explain.overlays.styles import NOTHING
from worker.explain.overlays.text import PAPER, note

OPACITY: Final = 0.5
_ROOM_FOR_BAR: Final = 160  # Below this longest side, numbers would take most of the picture.


def heatmap(picture: Picture, scene: Scene) -> Image.Image:
    """Draw the heat map with its colour bar, together within ``max_side``.

    The bar stands to the right of the photograph, or below one that is much wider than high. A
    picture of less than 160 pixels has none.
    """
    upload = scene.upload.shape[1], scene.upload.shape[0]
    size = picture_size(upload, max_side=picture.max_side)
    if picture.max_side < _ROOM_FOR_BAR:
        return heat(picture, scene, Stage.of(scene, size))[0]
    bar = Bar.beside(size)
    along = size[0] if bar.upright else size[1]
    shrink = min(1.0, (picture.max_side - bar.across) / along)
    size = max(1, int(size[0] * shrink)), max(1, int(size[1] * shrink))
    image, scale = heat(picture, scene, Stage.of(scene, size))
    return with_bar(image, scale, bar=bar, unit=f"attribution ({scene.unit})")


def with_bar(image: Image.Image, scale: Scale, *, bar: Bar, unit: str) -> Image.Image:
    """Put a colour bar beside a picture."""
    width, height = image.size
    panel = bar.draw(scale, length=height if bar.upright else width, unit=unit)
    size = (width + bar.across, height) if bar.upright else (width, height + bar.across)
    whole = Image.new("RGB", size, PAPER)
    whole.paste(image, (0, 0))
    whole.paste(panel, (width, 0) if bar.upright else (0, height))
    return whole


def heat(picture: Picture, scene: Scene, stage: Stage) -> tuple[Image.Image, Scale]:
    """Draw the heat map over the grey photograph; return it and the scale of its colours."""
    values = heat_values(picture, scene, stage)
    scale = Scale.over(values, colormap=picture.colormap)
    base = muted(stage.photo)
    image = veil_unseen(Image.blend(base, scale.paint(values), OPACITY), stage)
    return (image if scale.high > scale.low else note(image, NOTHING)), scale


def heat_values(picture: Picture, scene: Scene, stage: Stage) -> NDArray[np.float64]:
    """Look up the attribution of each pixel, shape (height, width); zero where unseen.

    Smoothing takes place at the scale of the model's input, where its sigma is told, and the
    smooth map is then enlarged. What the model does not see has no part in it: the map and the
    mask of what is seen are both smoothed, and divided.
    """
    attributions = np.append(scene.attributions, 0.0)
    if picture.positive_only:
        attributions = np.maximum(attributions, 0)
    if picture.smoothing == 0:
        # The zero at the end is what UNSEEN, -1, looks up.
        return attributions[stage.segments]
    height, width = scene.segments.shape
    pixel = scene.input_pixel or (1.0, 1.0)
    coarse = scene.segments_at((max(1, round(width / pixel[1])), max(1, round(height / pixel[0]))))
    smooth, weight = (
        filters.gaussian(
            field, sigma=picture.smoothing, mode="nearest", truncate=4.0, preserve_range=True
        )
        for field in (attributions[coarse], (coarse != UNSEEN).astype(np.float64))
    )
    values = Image.fromarray((smooth / np.maximum(weight, 1e-9)).astype(np.float32))
    enlarged = values.resize(stage.size, Image.Resampling.BILINEAR)
    return np.where(stage.unseen, 0.0, np.asarray(enlarged, dtype=np.float64))
