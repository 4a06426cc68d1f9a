"""Images by which a model is tried: such as no photograph is, but as different as photographs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from worker.serving.resolved import ResolvedModel

_GREY = 128
# Rows and columns of colours in a probe.
_COARSE = 4


def probes(count: int, resolved: ResolvedModel) -> NDArray[np.uint8]:
    """Make images at the model's input size, the same ones each time.

    Parameters
    ----------
    count : int
    resolved : ResolvedModel

    Returns
    -------
    uint8 (count, H, W, C)
        One grey, one of noise, then fields of colours.
    """
    height, width = resolved.input_size
    random = np.random.default_rng(0)
    made = np.empty((count, height, width, resolved.channels), np.uint8)
    rows = np.arange(height) * _COARSE // height
    columns = np.arange(width) * _COARSE // width
    for number in range(count):
        if number == 0:
            made[number] = _GREY
        elif number == 1:
            made[number] = random.integers(0, 256, made.shape[1:], dtype=np.uint8)
        else:
            fields = random.integers(1, 256, (_COARSE, _COARSE, resolved.channels), dtype=np.uint8)
            made[number] = fields[rows[:, None], columns]
    return made
