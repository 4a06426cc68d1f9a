"""Whether a worker's memory grows with the number of samples: 500 against 5000."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
FEW, MANY = 500, 5000

EXPLAIN = """
import json, resource, sys
import numpy as np
from skimage.data import chelsea
from skimage.transform import resize
from worker.explain.explain import explain
from worker.explain.options import ExplanationOptions, TopClasses

image = (resize(chelsea(), (224, 224)) * 255).astype(np.uint8)
weights = np.random.default_rng(0).random((3, 1000))

def score(batches):
    for batch in batches:
        logits = batch[:, ::16, ::16].mean(axis=(1, 2)) / 64 @ weights
        scores = np.exp(logits)
        yield scores / scores.sum(axis=1, keepdims=True)

explain(
    image,
    options=ExplanationOptions(samples=int(sys.argv[1]), stopping="fixed"),
    classes=TopClasses(top=3),
    score=score,
    batch_size=64,
)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps(peak * (1 if sys.platform == "darwin" else 1024) / 1e6))
"""


def measure() -> Iterator[Figure]:
    """Peak resident memory of a process that explains one image of 224 by 224 for three classes."""
    few, many = (_peak(samples) for samples in (FEW, MANY))
    yield Figure(name=f"worker peak memory, {FEW} samples", value=few, unit="MB")
    yield Figure(name=f"worker peak memory, {MANY} samples", value=many, unit="MB")
    # 4500 more samples of 50 segments are 0.2 MB, and their scores as much; images are 677 MB.
    yield Figure(
        name=f"worker memory grown from {FEW} to {MANY} samples",
        value=many - few,
        unit="MB",
        goal=10,
    )


def _peak(samples: int) -> float:
    done = subprocess.run(
        [sys.executable, "-c", EXPLAIN, str(samples)],
        cwd=ROOT,
        env={"PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"explaining with {samples} samples failed:\n{done.stderr}")
    peak: float = json.loads(done.stdout)
    return peak
