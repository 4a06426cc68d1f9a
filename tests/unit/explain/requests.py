"""Requests for explanations of a small image by cheap models."""

from __future__ import annotations

import numpy as np

from tests.unit.explain.pictures import classifier, mosaic, scoring
from worker.explain.explain import Explanation, explain
from worker.explain.options import ExplanationOptions

IMAGE = mosaic(48, 60, tiles=6)
PREDICT = classifier(IMAGE.shape)
GRID = {"method": "grid", "rows": 3, "columns": 4}


def options(**values) -> ExplanationOptions:
    return ExplanationOptions.model_validate({"segmentation": GRID, "samples": 64, **values})


def explained(chosen: ExplanationOptions, **others) -> Explanation:
    arguments = {
        "image": IMAGE,
        "classes": [0],
        "score": scoring(PREDICT),
        "batch_size": 16,
        **others,
    }
    return explain(arguments.pop("image"), options=chosen, **arguments)


def brightness(where: np.ndarray):
    """A model of two classes: the mean brightness of some pixels, and the rest."""

    def predict(images: np.ndarray) -> np.ndarray:
        share = images[:, where].mean(axis=(1, 2)) / 255.0
        return np.column_stack([share, 1.0 - share])

    return predict
