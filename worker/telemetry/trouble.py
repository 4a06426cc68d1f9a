"""Trouble that lasts, said without filling the log: what is tried each second fails each second."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

AGAIN_S = 60.0


class Trouble:
    """One kind of trouble of one process, said when it begins or changes, and then once a minute.

    Parameters
    ----------
    log : structlog.stdlib.BoundLogger
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        log: structlog.stdlib.BoundLogger,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._clock = clock
        self._said: tuple[str, float] | None = None

    def tell(self, event: str, *, problem: str, error: str | None = None) -> None:
        """Say that there is trouble, unless just this was said within the last minute.

        Parameters
        ----------
        problem : str
            By what the same trouble is known.
        error : str or None
            What is written of it; the problem itself if None.
        """
        now = self._clock()
        if self._said is not None and self._said[0] == problem and now - self._said[1] < AGAIN_S:
            return
        self._said = problem, now
        self._log.warning(event, error=problem if error is None else error)

    def over(self, event: str) -> None:
        """Say that the trouble is over, if there was any."""
        if self._said is not None:
            self._said = None
            self._log.info(event)
