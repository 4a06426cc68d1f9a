"""What becomes of connections that are to be closed, until their clients have closed them too.

gunicorn waits for that in the one thread that accepts new connections.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic

from web.patience import LEAST_RATE

# How long a client that was answered has to close its side; longer as it sends, up to a limit.
LINGER_S = 2.0
LINGER_MOST_S = 10.0
LINGER_MOST_BYTES = 64_000_000


@dataclass(slots=True)
class _Left:
    """What is left to a client that was answered: until when, at the latest, and of bytes."""

    until: float
    latest: float
    byte_count: int = LINGER_MOST_BYTES


class Lingering:
    """Connections that were answered and whose clients have not closed them yet.

    A connection that is closed with unread bytes is reset, and the client may lose the answer. So
    only our side is closed, and what still comes is read until the client has closed its own: a
    refused body, too.

    Parameters
    ----------
    selector : selectors.BaseSelector
        Watches them. What it has of one is a function to be called when something came.
    closed : callable
        Called as each is closed.
    """

    def __init__(self, selector: selectors.BaseSelector, *, closed: Callable[[], None]) -> None:
        self._selector = selector
        self._closed = closed
        self._left: dict[socket.socket, _Left] = {}

    def add(self, connection: socket.socket) -> None:
        """Close our side, and the connection when the client has closed its own."""
        try:
            connection.shutdown(socket.SHUT_WR)
            connection.setblocking(False)
        except OSError:
            connection.close()
            self._closed()
            return
        self._selector.register(connection, selectors.EVENT_READ, partial(self._hear, connection))
        now = monotonic()
        self._left[connection] = _Left(now + LINGER_S, now + LINGER_MOST_S)

    def end_overdue(self) -> None:
        """Close those whose time is over."""
        now = monotonic()
        for connection, left in tuple(self._left.items()):
            if now > min(left.until, left.latest):
                self._close(connection)

    def end_longest(self) -> bool:
        """Close the one that was answered first; tell whether there was one."""
        longest = next(iter(self._left), None)
        if longest is not None:
            self._close(longest)
        return longest is not None

    def _hear(self, connection: socket.socket, _: object) -> None:
        try:
            data = connection.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            # It has left in another way.
            data = b""
        left = self._left[connection]
        left.byte_count -= len(data)
        left.until += len(data) / LEAST_RATE
        if not data or left.byte_count < 0:
            self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        del self._left[connection]
        self._selector.unregister(connection)
        connection.close()
        self._closed()
