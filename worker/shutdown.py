"""Tells the pool's children that the worker is shutting down, so that they hand their jobs back.

Celery's warm shutdown waits for running tasks without telling them, and its soft shutdown sleeps
for its whole timeout even when they end at once. So SIGTERM stays the warm shutdown, children see
a flag between batches, and only what has not ended after a grace is stopped by a cold shutdown.
"""

from __future__ import annotations

import mmap
import signal
from typing import Any


class ShutdownFlag:
    """One byte of memory that a parent shares with the children it forks.

    A byte needs no lock. A lock could be held for ever by a child that was killed, and the
    parent sets the flag within a signal handler, where it must not wait.
    """

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Ask every child to hand its job back."""
        self._byte[0] = 1

    def is_set(self) -> bool:
        """Whether the children were asked."""
        return self._byte[0] == 1


def begin_shutdown(flag: ShutdownFlag, *, grace_s: float) -> None:
    """Ask the children to hand back; after the grace, go from warm to cold shutdown.

    Parameters
    ----------
    flag : ShutdownFlag
    grace_s : float
        Seconds that a job gets to reach a checkpoint. A Predict call in flight can outlast it; a
        cold shutdown interrupts the call, and the job is handed back all the same.
    """
    if flag.is_set():
        return
    flag.set()
    # A timer of the kernel: starting a thread takes locks, and this may be a signal handler.
    signal.signal(signal.SIGALRM, _turn_cold)
    signal.setitimer(signal.ITIMER_REAL, grace_s)


def _turn_cold(*_: Any) -> None:
    signal.raise_signal(signal.SIGQUIT)
