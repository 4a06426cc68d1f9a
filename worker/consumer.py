"""Celery's consumer, which waits for a Redis that takes writes before it connects."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from celery.worker import state
from celery.worker.consumer import Consumer

from worker.telemetry.trouble import Trouble

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ASK_AGAIN_S = 1.0
# A connection that is lost sooner was of no use; the next one waits for a moment.
BRIEF_S = 5.0
PAUSE_S = 2.0


def waiting_consumer(
    refusal: Callable[[], str | None], *, sleep: Callable[[float], None] = time.sleep
) -> type[Consumer]:
    """Make a class of consumers that connect only while Redis takes writes.

    Celery's own connects to a Redis that refuses, fails at its first write, and begins again at
    once, several times a second and with a trace in the log each time.

    Parameters
    ----------
    refusal : callable
        Says why Redis takes no writes; None while it does, or does not answer: for that Celery
        waits by itself.
    sleep : callable
    """

    class WaitingConsumer(Consumer):  # type: ignore[misc]  # Celery has no types.
        _trouble = Trouble(log)
        _connected_at = float("-inf")

        def connect(self) -> Any:
            if time.monotonic() - self._connected_at < BRIEF_S:
                self._wait(PAUSE_S)
            while (problem := refusal()) is not None:
                self._trouble.tell("no jobs are taken until Redis takes writes", problem=problem)
                self._wait(ASK_AGAIN_S)
            self._trouble.over("Redis takes writes again")
            connection = super().connect()
            self._connected_at = time.monotonic()
            return connection

        def _wait(self, seconds: float) -> None:
            # Raises what ends the worker, once it was asked to end.
            state.maybe_shutdown()
            sleep(seconds)
            state.maybe_shutdown()

    return WaitingConsumer
