"""Scores of perturbed images, kept on disk under a name made of all that decides them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from tests.bench.accuracy.networks import BATCH_SIZE, Network
from worker.explain.explanation import Floats, Samples
from worker.explain.perturb import Hiding
from worker.explain.scoring import Scorer

DIRECTORY: Final = Path(__file__).resolve().parents[3] / ".cache" / "bench" / "scores"
# Rows that are kept together: what a run that is cut off loses at most.
_CHUNK: Final = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """One image under one way of hiding, and the class whose score is wanted."""

    network: Network
    hiding: Hiding
    class_index: int

    def __call__(self, samples: Samples) -> Floats:
        """Return the scores (n,) of samples (n, S), from disk where they are there."""
        chunks = [samples[start : start + _CHUNK] for start in range(0, len(samples), _CHUNK)]
        return np.concatenate([self._chunk(chunk) for chunk in chunks])

    def _chunk(self, samples: Samples) -> Floats:
        path = DIRECTORY / f"{self._key(samples)}.npy"
        if path.exists():
            kept: Floats = np.load(path)
            return kept
        scorer = Scorer(self.hiding, self.network, batch_size=BATCH_SIZE)
        scores = scorer(samples, columns=[self.class_index])[:, 0]
        path.parent.mkdir(parents=True, exist_ok=True)
        # Under a name of this process first: a file that is there is whole.
        scratch = path.with_suffix(f".{os.getpid()}")
        with scratch.open("wb") as file:
            np.save(file, scores)
        scratch.replace(path)
        return scores

    def _key(self, samples: Samples) -> str:
        digest = hashlib.sha256(f"{self.network.fingerprint} {self.class_index}".encode())
        for array in (self.hiding.image, self.hiding.baseline, self.hiding.segments, samples):
            digest.update(f"{array.shape} {array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()
