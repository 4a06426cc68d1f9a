"""Scoring batches: calls as large and as many at once as the pace allows, the scores in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import grpc
import numpy as np
from numpy.typing import NDArray

from worker.serving import tensors
from worker.serving.calls import Call, Caller
from worker.serving.faults import is_too_large
from worker.serving.inputs import Encode, Pixels
from worker.serving.outputs import ScoreReader
from worker.serving.pace import FIRST_SIZE, Pace
from worker.serving.probes import probes
from worker.serving.resolved import ResolvedModel
from worker.serving.stubs.prediction_service_pb2 import PredictRequest
from worker.serving.stubs.tensor_pb2 import TensorProto

# As many images as are always sent together.
TOGETHER = 3


class BatchLimit:
    """Most images that a model's server takes in a call, as far as it was learned by refusals."""

    def __init__(self) -> None:
        self.rows: int | None = None

    def lower(self, rows: int) -> None:
        """Remember that more than ``rows`` images are too many."""
        self.rows = rows if self.rows is None else min(self.rows, rows)


@dataclass(frozen=True)
class _Ready:
    """A request that only has to be sent, the images in it, and whether it ends a batch."""

    request: bytes
    rows: int
    is_last: bool


@dataclass
class _Part:
    """A call under way, and whether it carries the last images of a batch of the caller's."""

    call: Call
    is_last: bool


class Predictor:
    """Scores images by one version of one model.

    A batch is serialised, in one call or several, before the next one is taken, so that its array
    may be used again for that. Both happen while other calls are in flight.
    """

    def __init__(
        self,
        resolved: ResolvedModel,
        *,
        caller: Caller,
        encode: Encode,
        reader: ScoreReader,
        limit: BatchLimit,
        pace: Pace,
        seats: Callable[[], int],
    ) -> None:
        self._resolved = resolved
        self._caller = caller
        self._encode = encode
        self._reader = reader
        self._limit = limit
        self._pace = pace
        self._seats = seats

    @property
    def calls(self) -> int:
        """Predict calls sent so far."""
        return self._caller.calls

    @property
    def retries(self) -> int:
        """How many of them were sent again."""
        return self._caller.retries

    @property
    def batch_size(self) -> int:
        """Most images that go into one call. Falls when the server turns out to take fewer."""
        known = self._resolved.batch_size
        return known if self._limit.rows is None else min(known, self._limit.rows)

    def __call__(self, batches: Iterable[Pixels]) -> Iterator[NDArray[np.float64]]:
        """Score batches.

        Parameters
        ----------
        batches : iterable of uint8 (n, H, W, C), or of float32 for a model of floats
            At the model's input size. A batch above ``batch_size`` takes several calls.

        Yields
        ------
        float64 (n, classes)
            The scores of each batch, in order. Closing the iterator cancels what is in flight.

        Raises
        ------
        PredictorError
            See ``worker.serving.errors``.
        """
        pending: deque[_Part] = deque()
        gathered: list[NDArray[np.float64]] = []
        if self._reader.wants_trial:
            self._try()
        try:
            for ready in self._ready(batches):
                done = []
                while len(pending) >= self._pace.at_once(self._seats()):
                    done.append(self._finish(pending, gathered))
                self._caller.pause(self._pace.pause_s)
                # Sent before the scores are given away: the server works while they are used.
                call = self._caller.start("Predict", ready.request, rows=ready.rows)
                pending.append(_Part(call, ready.is_last))
                yield from (scores for scores in done if scores is not None)
            while pending:
                scores = self._finish(pending, gathered)
                if scores is not None:
                    yield scores
        finally:
            for part in pending:
                part.call.future.cancel()

    def _try(self) -> None:
        """Score images that differ, so that the reader sees what the scores are of."""
        self._reader.begin_trial()
        for image in probes(FIRST_SIZE, self._resolved):
            self._resend(self._encode(image[np.newaxis]))

    def _ready(self, batches: Iterable[Pixels]) -> Iterator[_Ready]:
        """Serialise of each batch what goes into the next call, as large as the pace then allows.

        That is done while the call before is answered, so that the server gets the next at once.
        The next batch is taken only after that, so the array of this one is still as it was.
        Cutting the calls off one tensor instead would copy all of it for each: protobuf gives its
        bytes away as a copy.
        """
        for batch in batches:
            total, start = len(batch), 0
            while start < total:
                end = start + self._next_rows(total - start, of=total)
                request = self._request(self._encode(batch[start:end]))
                yield _Ready(request, rows=end - start, is_last=end == total)
                start = end

    def _next_rows(self, left: int, *, of: int) -> int:
        """Tell how many of the rows that are left go into the next call.

        As many calls as they need are made equally large: a small one costs a call as well. A batch
        of ``TOGETHER`` images is one call whatever the pace, so that a caller can see whether their
        scores depend on each other.
        """
        if of <= TOGETHER:
            return min(left, self.batch_size)
        calls = -(-left // min(self.batch_size, self._pace.images))
        return -(-left // calls)

    def _request(self, tensor: TensorProto) -> bytes:
        request = PredictRequest(
            inputs={self._resolved.input: tensor}, output_filter=self._reader.wanted
        )
        request.model_spec.name = self._resolved.servable
        request.model_spec.version.value = self._resolved.version
        request.model_spec.signature_name = self._resolved.signature
        serialised: bytes = request.SerializeToString()
        return serialised

    def _finish(
        self, pending: deque[_Part], gathered: list[NDArray[np.float64]]
    ) -> NDArray[np.float64] | None:
        """Wait for the oldest call; return the scores of its batch if they are complete."""
        # It stays in the queue meanwhile, so that it is cancelled if the wait is interrupted.
        part = pending[0]
        gathered.append(self._scores(part.call))
        pending.popleft()
        if not part.is_last:
            return None
        scores = gathered[0] if len(gathered) == 1 else np.concatenate(gathered)
        gathered.clear()
        return scores

    def _scores(self, call: Call) -> NDArray[np.float64]:
        """Wait for a call; halve it, and again, if it is too large for the server."""
        try:
            response = self._caller.wait(call)
        except grpc.RpcError as error:
            if call.rows == 1 or not is_too_large(error):
                raise self._caller.error_of(error) from error
        else:
            return self._reader.read(response, rows=call.rows)
        self._limit.lower(call.rows // 2)
        tensor = PredictRequest.FromString(call.request).inputs[self._resolved.input]
        starts = range(0, call.rows, self.batch_size)
        ends = [min(start + self.batch_size, call.rows) for start in starts]
        parts = [tensors.part(tensor, *bounds) for bounds in zip(starts, ends, strict=True)]
        return np.concatenate([self._resend(part) for part in parts])

    def _resend(self, tensor: TensorProto) -> NDArray[np.float64]:
        rows = tensors.rows_of(tensor)
        call = self._caller.start("Predict", self._request(tensor), rows=rows)
        try:
            return self._scores(call)
        finally:
            call.future.cancel()
