"""Real photographs that installed packages ship."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.explain.geometry import Geometry

PHOTOGRAPHS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "cat": ("skimage.data", "chelsea.png"),
        "coffee": ("skimage.data", "coffee.png"),
        "astronaut": ("skimage.data", "astronaut.png"),
        "rocket": ("skimage.data", "rocket.jpg"),
        "motorcycle": ("skimage.data", "motorcycle_left.png"),
        "temple": ("sklearn.datasets.images", "china.jpg"),
        "flower": ("sklearn.datasets.images", "flower.jpg"),
        "portrait": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    }
)


def photograph(name: str, input_size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a photograph (H, W, 3) at a model's input size, resized as a job's upload is."""
    package, path = PHOTOGRAPHS[name]
    with files(package).joinpath(path).open("rb") as file:
        upload = np.asarray(Image.open(file).convert("RGB"))
    geometry = Geometry(
        resize="stretch",
        interpolation="bilinear",
        upload_size=(upload.shape[0], upload.shape[1]),
        input_size=input_size,
        channels=3,
    )
    return geometry.to_input(upload)
