"""Small scenes whose pixels are known, for the tests of overlays."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from worker.explain.options import Picture
from worker.explain.overlays import Scene, draw


def quarters(height: int = 400, width: int = 600, seed: int = 0) -> Scene:
    """A warm textured photograph of four segments: 0 and 1 above, 2 and 3 below.

    Their attributions are +0.4, −0.4, +0.1 and 0.
    """
    texture = np.random.default_rng(seed).integers(-20, 20, (height, width, 1))
    upload = np.clip(np.array([150, 110, 90]) + texture, 0, 255).astype(np.uint8)
    rows = np.arange(height)[:, None] >= height // 2
    columns = np.arange(width)[None, :] >= width // 2
    return Scene(
        upload=upload,
        segments=(2 * rows + columns).astype(np.int32),
        attributions=np.array([0.4, -0.4, 0.1, 0.0]),
        class_name="Egyptian cat",
        score=0.771,
        r2=0.81,
        press_r2=0.76,
        unit="probability",
    )


def drawn(scene: Scene, style: str, **options: Any) -> np.ndarray:
    """Draw, and read the pixels back as int (height, width, 3)."""
    data = draw(Picture.model_validate({"style": style, **options}), scene)
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def quarter(image: np.ndarray, index: int, *, height: int = 400, width: int = 600) -> np.ndarray:
    """The inside of one quarter, away from every line: shape (pixels, 3)."""
    top, left = (index // 2) * height // 2, (index % 2) * width // 2
    margin = 30
    inside = image[
        top + margin : top + height // 2 - margin, left + margin : left + width // 2 - margin
    ]
    return inside.reshape(-1, 3)
