"""A network on a model server, and the three that ask it: a bare client, Limelight, lime."""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import grpc
import numpy as np
import psutil
from lime.lime_image import LimeImageExplainer
from numpy.typing import NDArray

from tests.bench.accuracy.networks import SOURCES
from tests.bench.accuracy.photographs import photograph
from tests.support.models import running_model_server
from worker.explain.explain import explain
from worker.explain.explanation import Explanation
from worker.explain.options import ExplanationOptions, TopClasses
from worker.serving import tensors
from worker.serving.model import ResolvedModel, ServedModel
from worker.serving.preprocess import affine, to_float
from worker.serving.profile import ModelProfile
from worker.serving.rpc import ServingStub
from worker.serving.stubs.prediction_service_pb2 import PredictRequest, PredictResponse

CALLS: Final = 1000
IN_FLIGHT: Final = 2
# The bare client takes what is fastest on the machine.
BARE_SIZES: Final = (8, 16, 32)
PHOTOGRAPH: Final = "cat"
_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Time that passed, and CPU seconds of client and server together.

    The latter hardly depend on what else the machine does. Where the server is kept busy all the
    time they are in proportion to the former.
    """

    wall_s: float
    cpu_s: float

    def __sub__(self, other: Cost) -> Cost:
        return Cost(wall_s=self.wall_s - other.wall_s, cpu_s=self.cpu_s - other.cpu_s)


def so_far(processes: Iterable[psutil.Process]) -> Cost:
    """Tell the time, and the CPU seconds that processes have used."""
    times = [process.cpu_times() for process in processes]
    return Cost(wall_s=time.perf_counter(), cpu_s=sum(one.user + one.system for one in times))


@dataclass(frozen=True, kw_only=True, eq=False)
class Rig:
    """One network being served.

    Attributes
    ----------
    server : psutil.Process
    profile : ModelProfile
    """

    name: str
    stub: ServingStub
    resolved: ResolvedModel
    server: psutil.Process
    profile: ModelProfile

    def bare(self, size: int) -> Cost:
        """Cost of ``CALLS`` ready-made images in batches of ``size``, two of them in flight."""
        image = self.image(PHOTOGRAPH)
        requests = {rows: self._ready(image, rows) for rows in (size, CALLS % size) if rows}
        rows = [min(size, CALLS - start) for start in range(0, CALLS, size)]
        pending: deque[grpc.Future] = deque()
        so_far = self._so_far()
        for count in rows:
            if len(pending) == IN_FLIGHT:
                pending.popleft().result()
            pending.append(self.stub.predict.future(requests[count], timeout=_TIMEOUT_S))
        while pending:
            pending.popleft().result()
        return self._so_far() - so_far

    def image(self, name: str) -> NDArray[np.uint8]:
        """Return a photograph (H, W, 3) at the network's input size."""
        return photograph(name, self.resolved.input_size)

    def ours(
        self, model: ServedModel, options: ExplanationOptions, *, name: str = PHOTOGRAPH
    ) -> tuple[Cost, Explanation]:
        """Explain the first class; the cost has segmentation and fit in it."""
        image = self.image(name)
        predictor = model.predictor(self.resolved, deadline_s=_TIMEOUT_S)
        so_far = self._so_far()
        explanation = explain(
            image,
            options=options,
            classes=TopClasses(top=1),
            score=predictor,
            batch_size=predictor.batch_size,
        )
        return self._so_far() - so_far, explanation

    def lime(self, *, seed: int, name: str = PHOTOGRAPH) -> tuple[Cost, NDArray[np.float64]]:
        """Explain by lime at its defaults: the cost, and the attributions (S,)."""
        image = self.image(name)
        explainer = LimeImageExplainer(random_state=seed, verbose=False)
        so_far = self._so_far()
        # It draws a progress bar, which costs next to nothing, on stderr.
        with contextlib.redirect_stderr(io.StringIO()):
            found = explainer.explain_instance(
                image, self._classify, top_labels=1, num_samples=CALLS
            )
        cost = self._so_far() - so_far
        attributions = np.zeros(int(found.segments.max()) + 1)
        for segment, value in found.local_exp[found.top_labels[0]]:
            attributions[segment] = value
        return cost, attributions

    def _so_far(self) -> Cost:
        return so_far([self.server, psutil.Process()])

    def _classify(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        response: PredictResponse = self.stub.predict(self._request(images), timeout=_TIMEOUT_S)
        return tensors.to_floats(response.outputs[self.resolved.output])

    def _ready(self, image: NDArray[np.uint8], rows: int) -> PredictRequest:
        return self._request(np.repeat(image[None], rows, axis=0))

    def _request(self, images: NDArray[np.uint8]) -> PredictRequest:
        how = affine(SOURCES[self.name].preprocess)
        tensor = tensors.from_array(to_float(np.asarray(images), how, layout="NHWC"))
        request = PredictRequest(
            inputs={self.resolved.input: tensor}, output_filter=[self.resolved.output]
        )
        request.model_spec.name = self.name
        return request


@contextmanager
def rig(name: str) -> Iterator[Rig]:
    """Serve a network until the block ends."""
    source = SOURCES[name]
    options = ("--threads", str(os.cpu_count()))
    with (
        running_model_server({name: source.base_path()}, *options) as server,
        grpc.insecure_channel(server.target) as channel,
    ):
        profile = ModelProfile(
            name=name,
            servable=name,
            address=f"dns:///{server.target}",
            preprocess=source.preprocess,
        )
        yield Rig(
            name=name,
            stub=ServingStub(channel),
            resolved=ServedModel(profile).resolve(None, timeout_s=_TIMEOUT_S),
            server=psutil.Process(server.process.pid),
            profile=profile,
        )
