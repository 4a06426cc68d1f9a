"""Small images, and models that are cheap, nonlinear and the same for each image of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

Predict = Callable[[np.ndarray], np.ndarray]


def frozen(array: np.ndarray) -> np.ndarray:
    """Read-only, so that whoever modifies its input fails."""
    array.setflags(write=False)
    return array


def mosaic(
    height: int = 48, width: int = 48, *, channels: int = 3, tiles: int = 4, seed: int = 0
) -> np.ndarray:
    """Tiles of plain colours under a little noise: segmenters find something, but not the same."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(20, 236, (tiles, tiles, channels))
    rows = np.arange(height) * tiles // height
    columns = np.arange(width) * tiles // width
    noise = rng.integers(-12, 13, (height, width, channels))
    return frozen((colours[rows][:, columns] + noise).astype(np.uint8))


def classifier(shape: tuple[int, ...], *, classes: int = 4, seed: int = 0) -> Predict:
    """A softmax over quadratic features of a coarse view of the image.

    It computes image by image, so that the scores do not depend on how images are batched.
    """
    rng = np.random.default_rng(seed)
    height, width, channels = shape
    rows, columns = np.arange(height) * 6 // height, np.arange(width) * 6 // width
    cells = (rows[:, None] * 6 + columns[None, :]).ravel()
    linear = rng.normal(size=(36 * channels, classes))
    squared = rng.normal(size=(36 * channels, classes))
    sizes = np.maximum(np.bincount(cells, minlength=36), 1)

    def one(image: np.ndarray) -> np.ndarray:
        flat = np.asarray(image, dtype=np.float64).reshape(-1, channels) / 255.0
        means = [
            np.bincount(cells, weights=flat[:, channel], minlength=36) / sizes
            for channel in range(channels)
        ]
        features = np.concatenate(means) - 0.5
        logits = (features[:, None] * linear).sum(axis=0) + (
            (features[:, None] * np.roll(features, 5)[:, None]) * squared
        ).sum(axis=0)
        exponentials = np.exp(logits - logits.max())
        return exponentials / exponentials.sum()

    return lambda images: np.stack([one(image) for image in images])


def scoring(predict: Predict) -> Callable[[Iterable[np.ndarray]], Iterator[np.ndarray]]:
    """The port of ``explain`` over a plain function."""
    return lambda batches: map(predict, batches)


class Counting:
    """A predict function that counts images and batches."""

    def __init__(self, predict: Predict) -> None:
        self.images = 0
        self.batches = 0
        self._predict = predict

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.images += len(images)
        self.batches += 1
        return self._predict(images)
