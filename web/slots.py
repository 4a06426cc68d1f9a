"""How many requests of a process are worked on at once, and who waits beside them.

A thread that waits for its client works on nothing. So it leaves its slot to another request for
that time: however many clients are slow, as many requests are worked on as without them. How many
may wait, and what they may hold in memory, is bounded; beyond that the slowest are disconnected.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

# Threads of a process that may wait for clients, beside those that work.
MOST_WAITING = 128


class Client(Protocol):
    """What slots know of a client that is waited for.

    Attributes
    ----------
    held : int
        Bytes of memory that its request holds.
    rate : float
        How fast it is, in bytes a second of waiting.
    """

    @property
    def held(self) -> int: ...  # noqa: D102
    @property
    def rate(self) -> float: ...  # noqa: D102

    def disconnect(self) -> None:
        """End the connection, and so the wait."""


class CannotWait(Exception):
    """The thread has no slot: it serves what others depend on, and may not wait for its client."""


class Slots:
    """The slots of a process for requests.

    Parameters
    ----------
    count : int
        Requests that are worked on at once.
    most_bytes : int
        What all that wait may hold together.
    most_waiting : int
        How many may wait at a time.
    """

    def __init__(self, count: int, *, most_bytes: int, most_waiting: int = MOST_WAITING) -> None:
        self._free = count
        self._most_bytes = most_bytes
        self._most_waiting = most_waiting
        self._thread = threading.local()
        self._lock = threading.Lock()
        self._arriving = threading.Condition(self._lock)
        self._returning = threading.Condition(self._lock)
        self._returning_count = 0
        self._waiting: set[Client] = set()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a slot while this thread serves a request."""
        with self._lock:
            while self._free == 0 or self._returning_count > 0:
                self._arriving.wait()
            self._take()
        self._thread.has_slot = True
        try:
            yield
        finally:
            self._thread.has_slot = False
            with self._lock:
                self._give()

    @contextmanager
    def lent(self, client: Client) -> Iterator[None]:
        """Leave this thread's slot to others while it waits for its client.

        Raises
        ------
        CannotWait
        """
        if not getattr(self._thread, "has_slot", False):
            raise CannotWait
        with self._lock:
            self._make_room(client.held)
            self._waiting.add(client)
            self._give()
        try:
            yield
        finally:
            with self._lock:
                self._waiting.discard(client)
                # Before new requests, which are many when it is late.
                self._returning_count += 1
                while self._free == 0:
                    self._returning.wait()
                self._returning_count -= 1
                self._take()

    def _take(self) -> None:
        self._free -= 1
        if self._free > 0:
            self._wake()

    def _give(self) -> None:
        self._free += 1
        self._wake()

    def _wake(self) -> None:
        (self._returning if self._returning_count > 0 else self._arriving).notify()

    def _make_room(self, held: int) -> None:
        held += sum(other.held for other in self._waiting)
        while self._waiting and (
            held > self._most_bytes or len(self._waiting) >= self._most_waiting
        ):
            slowest = min(self._waiting, key=lambda other: other.rate)
            self._waiting.discard(slowest)
            held -= slowest.held
            with suppress(OSError):
                slowest.disconnect()
