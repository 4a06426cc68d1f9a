"""Ctrl-C, SIGTERM and a closed terminal end the demo in one way: unwinding, with clean-up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """While entered, a stop signal raises SystemExit(128 + its number), as shells report it."""

    def __init__(self) -> None:
        self._held = False
        self._pending: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        """Install the handlers."""
        self._before = {number: signal.signal(number, self._on_signal) for number in CAUGHT}
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the handlers that were there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # as signal.signal gave it

    @contextmanager
    def held(self) -> Iterator[None]:
        """Put signals off until the block ends.

        A process that has been started but is not written down yet, or a clean-up cut in half,
        would be left running.
        """
        if self._held:
            yield
            return
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._pending is not None:
            raise SystemExit(128 + self._pending)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._held:
            self._pending = number
            return
        raise SystemExit(128 + number)
