"""Makes ``references.npz``: what torch, torchvision and OpenCV make of a small picture.

They are too large for the test environment. To make the file again, in an environment of its own:

    pip install torch torchvision opencv-python-headless pillow
    python tests/unit/explain/make_references.py

The file that is here was made with torch 2.15.0, torchvision 0.29.2, OpenCV 5.0.0, Pillow 13.0.0.
"""

from __future__ import annotations

from pathlib import Path

import cv2  # type: ignore[import-not-found]
import numpy as np
import torch  # type: ignore[import-not-found]
from PIL import Image
from torchvision.transforms import InterpolationMode, v2  # type: ignore[import-not-found]

SIZES = ((10, 12), (31, 40))
SHORT_SIDES = ((16, (14, 14)), (20, (11, 18)), (16, (14, 30)))
OPENCV = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}


def main() -> None:
    rng = np.random.default_rng(13)
    picture = np.asarray(
        Image.fromarray(rng.integers(0, 256, (9, 13, 3), np.uint8)).resize((37, 23))
    )
    found = {"picture": picture}
    tensor = torch.from_numpy(picture.transpose(2, 0, 1).copy())
    for size in SIZES:
        for mode in ("nearest", "nearest-exact", "bilinear", "bicubic"):
            for antialias in (False, True):
                resized = v2.functional.resize(
                    tensor,
                    list(size),
                    interpolation=InterpolationMode(mode),
                    antialias=antialias,
                )
                found[f"torch {mode} {antialias} {size}"] = resized.numpy().transpose(1, 2, 0)
        for mode in ("bilinear", "bicubic"):
            resized = v2.functional.resize(
                tensor.float(), list(size), interpolation=InterpolationMode(mode), antialias=True
            )
            found[f"torch floats {mode} {size}"] = resized.numpy().transpose(1, 2, 0)
        for name, flag in OPENCV.items():
            found[f"opencv {name} False {size}"] = cv2.resize(
                picture, size[::-1], interpolation=flag
            )
    for side, crop in SHORT_SIDES:
        for upload in (picture, picture.swapaxes(0, 1)):
            transform = v2.Compose([v2.Resize(side), v2.CenterCrop(crop)])
            by_pillow = transform(Image.fromarray(np.ascontiguousarray(upload)))
            by_torch = transform(torch.from_numpy(upload.transpose(2, 0, 1).copy()))
            height, width = upload.shape[:2]
            found[f"pillow {height}x{width} {side} {crop}"] = np.asarray(by_pillow)
            found[f"torch {height}x{width} {side} {crop}"] = by_torch.numpy().transpose(1, 2, 0)
    np.savez_compressed(Path(__file__).with_name("references.npz"), **found)


if __name__ == "__main__":
    main()
