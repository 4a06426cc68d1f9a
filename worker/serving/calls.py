"""Making calls: each with a deadline, and again, with jittered waits, while that can help."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import grpc
import stamina

from worker.serving.channel import Connection
from worker.serving.errors import PredictorDeadline, PredictorError
from worker.serving.faults import Asked, can_pass, code_of, passes_soon_or_never, translate
from worker.serving.rpc import ServingStub
from worker.telemetry import spans, trace


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How long a call that failed is made again, in seconds.

    Attributes
    ----------
    window_s : float
        From the first failure, for everything that can pass. Short, because a worker that waits
        for one model is kept from the jobs of others: a job can wait in the queue.
    reload_s : float
        The same for NOT_FOUND, and for what refuses us: a model that is being reloaded, a proxy
        that gets its routes, and a secret that is rotated are back soon, or are not.
    wait_s, jitter_s, wait_max_s : float
        The first wait, doubled each time; what is added to each at random; the longest.
    """

    window_s: float = 5.0
    reload_s: float = 3.0
    wait_s: float = 0.1
    jitter_s: float = 0.2
    wait_max_s: float = 1.0


class Deadline:
    """A moment after which nothing more is asked of the model server."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def remaining_s(self) -> float:
        """Seconds left; 0 once it has passed."""
        return max(0.0, self._at - time.monotonic())


@dataclass(frozen=True, kw_only=True)
class CallRecord:
    """One call that ended, for whoever watches how a model server fares.

    Attributes
    ----------
    model, method : str
        Name of the profile; ``"Predict"``, ``"GetModelMetadata"`` or ``"GetModelStatus"``.
    rows : int
        Images in the call.
    seconds : float
        From sending to the end of the answer.
    status : str
        Name of the gRPC status code.
    is_retry : bool
        Whether it was made because the one before it had failed.
    """

    model: str
    method: str
    rows: int
    seconds: float
    status: str
    is_retry: bool = False


Observe = Callable[[CallRecord], None]
Checkpoint = Callable[[], None]

# How often a wait for an answer looks whether the work is to stop.
CHECKPOINT_EVERY_S = 0.25


def ignore(record: CallRecord) -> None:
    """Observe nothing."""


def go_on() -> None:
    """Let every wait go on: nobody has a reason to stop it."""


@dataclass(kw_only=True)
class Call:
    """A call under way. ``ended`` is set by gRPC's thread, when nobody may be waiting yet."""

    method: str
    request: Any
    rows: int
    attempts: int = 0
    step: trace.Trace | None = None
    started: float = 0.0
    future: Any = None
    ended: float | None = None
    over: threading.Event = field(default_factory=threading.Event)

    def begin(self, future: Any) -> None:
        """Take the future of a call that was sent just now, for the first time or again."""
        over = threading.Event()
        self.attempts += 1
        self.started, self.ended, self.over, self.future = time.monotonic(), None, over, future

        def end(_: Any) -> None:
            self.ended = time.monotonic()
            over.set()

        future.add_done_callback(end)


_METHODS: Mapping[str, Callable[[ServingStub], Any]] = MappingProxyType(
    {
        "Predict": lambda stub: stub.predict,
        "GetModelMetadata": lambda stub: stub.get_model_metadata,
        "GetModelStatus": lambda stub: stub.get_model_status,
    }
)


class Caller:
    """Calls to one model within one deadline.

    Attributes
    ----------
    calls, retries : int
        Calls sent so far, and how many of them were sent again.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        asked: Asked,
        deadline: Deadline,
        call_limit_s: float,
        policy: RetryPolicy,
        observe: Observe,
        checkpoint: Checkpoint = go_on,
    ) -> None:
        self._connection = connection
        self._asked = asked
        self._deadline = deadline
        self._call_limit_s = call_limit_s
        self._policy = policy
        self._observe = observe
        self._checkpoint = checkpoint
        self.calls = 0
        self.retries = 0

    def start(self, method: str, request: Any, *, rows: int = 0) -> Call:
        """Serialise and send a request; do not wait for the answer.

        Raises
        ------
        PredictorDeadline
            If no time is left.
        PredictorUnavailable
            If the files of the profile's ``metadata`` or ``tls`` cannot be used.
        """
        call = Call(method=method, request=request, rows=rows)
        self._send(call)
        return call

    def _send(self, call: Call) -> None:
        timeout_s = min(self._call_limit_s, self._deadline.remaining_s)
        if timeout_s <= 0:
            raise PredictorDeadline(
                f"Model {self._asked.model!r} took longer than the job may take. Ask for fewer "
                f"samples, or try again when the model server is less busy."
            )
        metadata: tuple[tuple[str, str], ...] = ()
        if (step := trace.current()) is not None:
            call.step = step.child()
            metadata = ((trace.HEADER, str(call.step)),)
        method = _METHODS[call.method]
        call.begin(
            self._connection.send(method, call.request, timeout_s=timeout_s, metadata=metadata)
        )
        self.calls += 1

    def wait(self, call: Call) -> Any:
        """Wait for the answer; send the request again while that can help.

        Raises
        ------
        grpc.RpcError
            If the call failed for good. The caller knows what is to be done about a call that
            was too large, and translates the rest.
        PredictorDeadline
            If the time was up before a call could be sent again.
        Exception
            What the checkpoint raises, within ``CHECKPOINT_EVERY_S`` or a wait between two
            attempts. The call is cancelled.
        """
        patience = _Patience(self._policy, self._deadline, self._asked)
        attempts = stamina.retry_context(
            on=patience,
            # The hook alone decides how long: it knows what failed and when that began.
            attempts=None,
            timeout=None,
            wait_initial=self._policy.wait_s,
            wait_max=self._policy.wait_max_s,
            wait_jitter=self._policy.jitter_s,
            wait_exp_base=2,
        )
        for attempt in attempts:
            with attempt:
                if attempt.num > 1:
                    self._checkpoint()
                    if self._deadline.remaining_s <= 0:
                        # The wait has outlasted the deadline. Why the calls before it failed
                        # says more than that the time is up: fail with the last of them.
                        return call.future.result()
                    self.retries += 1
                    self._send(call)
                return self._answer(call)
        raise AssertionError("a retry context ends by an answer or an error")

    def pause(self, seconds: float) -> None:
        """Leave the server alone for a while, but not past the deadline or a reason to stop."""
        end = time.monotonic() + min(seconds, self._deadline.remaining_s)
        while (left := end - time.monotonic()) > 0:
            self._checkpoint()
            time.sleep(min(left, CHECKPOINT_EVERY_S))

    def ask(self, method: str, request: Any) -> Any:
        """Make one call and wait for its answer.

        Raises
        ------
        PredictorError
        """
        try:
            return self.wait(self.start(method, request))
        except grpc.RpcError as error:
            raise self.error_of(error) from error

    def error_of(self, error: grpc.RpcError) -> PredictorError:
        """Put a call that failed for good into our terms."""
        return translate(error, asked=self._asked)

    def _answer(self, call: Call) -> Any:
        self._wait_until_over(call)
        status = grpc.StatusCode.OK
        try:
            return call.future.result()
        except grpc.RpcError as error:
            status = code_of(error)
            raise
        finally:
            self._tell(call, status=status.name)

    def _tell(self, call: Call, *, status: str) -> None:
        """Tell those who watch of a call that has ended."""
        seconds = (call.ended or time.monotonic()) - call.started
        self._observe(
            CallRecord(
                model=self._asked.model,
                method=call.method,
                rows=call.rows,
                seconds=seconds,
                status=status,
                is_retry=call.attempts > 1,
            )
        )
        if call.step is not None:
            spans.record(
                call.method,
                trace=call.step,
                parent=trace.current(),
                seconds=seconds,
                kind="client",
                attributes={
                    "rpc.system": "grpc",
                    "rpc.method": call.method,
                    "rpc.grpc.status": status,
                    "limelight.model": self._asked.model,
                    "limelight.images": call.rows,
                },
                failed=status != grpc.StatusCode.OK.name,
            )

    def _wait_until_over(self, call: Call) -> None:
        """Wait, but not for a server that hangs once there is a reason to stop."""
        while not call.over.wait(CHECKPOINT_EVERY_S):
            try:
                self._checkpoint()
            except BaseException:
                call.future.cancel()
                raise


class _Patience:
    """Decides whether a failed call is sent again."""

    def __init__(self, policy: RetryPolicy, deadline: Deadline, asked: Asked) -> None:
        self._policy = policy
        self._deadline = deadline
        self._asked = asked
        self._failing_since: float | None = None

    def __call__(self, error: Exception) -> bool:
        if not isinstance(error, grpc.RpcError) or not can_pass(error, asked=self._asked):
            return False
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        soon = passes_soon_or_never(error)
        window_s = self._policy.reload_s if soon else self._policy.window_s
        # A wait that may outlast the deadline is not begun: this error says more than that one.
        has_time = self._deadline.remaining_s > self._policy.wait_max_s
        return has_time and now - self._failing_since < window_s
