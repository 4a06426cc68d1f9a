"""The two real networks, called in this process on one core.

They are run by OpenVINO in float32, which gives TensorFlow's scores within 1e-5 in less than half
the time of TensorFlow itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import openvino
from numpy.typing import NDArray

from tests.support.models import dog_breeds, efficientnet_lite0
from worker.serving.preprocess import affine, to_float
from worker.serving.profile import NamedPreprocess

# What one core scores fastest of 224 x 224 pixels.
BATCH_SIZE: Final = 8

Run = Callable[[NDArray[np.float32]], NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network whose input is prepared as its profile would say.

    Attributes
    ----------
    fingerprint : str
        Tells this network's scores from those of any other.
    """

    name: str
    fingerprint: str
    input_size: tuple[int, int]
    run: Run
    prepare: Callable[[NDArray[np.uint8]], NDArray[np.float32]]

    def __call__(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float64]]:
        """Score batches (n, H, W, 3): a `worker.explain.explanation.Score`."""
        for batch in batches:
            yield self.run(self.prepare(batch))


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a network comes from, and how its input is prepared.

    Attributes
    ----------
    base_path : callable
        Builds the SavedModel if it is missing, and returns its base path.
    """

    base_path: Callable[[], Path]
    input_size: tuple[int, int]
    preprocess: NamedPreprocess


SOURCES: Final[Mapping[str, Source]] = MappingProxyType(
    {
        "efficientnet-lite0": Source(
            base_path=efficientnet_lite0, input_size=(224, 224), preprocess="raw"
        ),
        "dog-breeds": Source(base_path=dog_breeds, input_size=(160, 160), preprocess="tf"),
    }
)
NETWORKS: Final = tuple(SOURCES)


def build() -> None:
    """Make the SavedModels that are missing, before several processes look for them."""
    for source in SOURCES.values():
        source.base_path()


@cache
def network(name: str) -> Network:
    """Load a network; once in a process."""
    source = SOURCES[name]
    path = source.base_path() / "1"
    stamp = (path / "assets.extra" / "built_from.txt").read_bytes()
    return Network(
        name=name,
        fingerprint=hashlib.sha256(stamp).hexdigest(),
        input_size=source.input_size,
        run=_compiled(path, source.input_size),
        prepare=partial(to_float, how=affine(source.preprocess), layout="NHWC"),
    )


def _compiled(path: Path, input_size: tuple[int, int]) -> Run:
    """Compile a SavedModel for one core: it is the processes that share the machine."""
    core = openvino.Core()
    model = core.read_model(path)
    model.reshape([BATCH_SIZE, *input_size, 3])
    compiled = core.compile_model(
        model,
        "CPU",
        {
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            # Else every process would pin itself to the same first core.
            "ENABLE_CPU_PINNING": False,
            # As TensorFlow does it; where the processor can, the default would be bfloat16.
            "INFERENCE_PRECISION_HINT": "f32",
        },
    )

    def run(images: NDArray[np.float32]) -> NDArray[np.float64]:
        missing = BATCH_SIZE - len(images)
        full = np.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0)))
        scores = compiled(full)[0][: len(images)]
        return np.array(scores, dtype=np.float64)

    return run
