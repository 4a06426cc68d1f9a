"""How long a client may keep others waiting: while it is served, and once it has been.

gunicorn's threads read and write blocking sockets, so as many clients as there are threads, each
of which sends half a request or does not read its answer, would keep everybody else waiting. And
it waits for clients to close their side in the one thread that accepts new ones.
"""

from __future__ import annotations

import errno
import select
import selectors
import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# Whoever keeps moving this much has as much time as it takes: bytes a second.
LEAST_RATE = 20_000.0
# A head of so many bytes is for the server to judge, whether or not it is whole.
MOST_HEAD = 65_536
# How long a client that was answered has to close its side.
LINGER_S = 2.0


class Stalled(ConnectionResetError):
    """The client was too slow. To gunicorn it looks as if it had left, so the connection ends."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client was too slow")


class PatientSocket(socket.socket):
    """A client's socket that gives up on one that stalls.

    A request has ``patience_s``, and more as its bytes come; so has its answer. No single silence
    is longer. Where a timeout is set, that holds as well.
    """

    _patience_s: float
    _began: float
    _moved: int
    _reading: bool
    _peeked: int = 0

    @classmethod
    def instead_of(cls, connection: socket.socket, *, patience_s: float) -> Self:
        """Take a connection over; the given object is left without one."""
        blocking = connection.getblocking()
        taken = cls(fileno=connection.detach())
        taken._patience_s = patience_s
        taken.setblocking(blocking)
        return taken

    def setblocking(self, flag: bool, /) -> None:
        """Set whether calls wait; gunicorn does so before each request."""
        super().setblocking(flag)
        self._begin(reading=True)

    def has_head(self) -> bool:
        """Whether the whole head of a request has come, or nothing more will.

        If not, a selector finds the socket readable again only when more has come.
        """
        try:
            seen = super().recv(MOST_HEAD, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            # Whoever serves it finds out.
            seen = b""
        whole = b"\r\n\r\n" in seen or len(seen) == MOST_HEAD
        # Readable without anything new: the client has closed its side.
        waits = not whole and len(seen) > self._peeked
        self._peeked = len(seen) if waits else 0
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, self._peeked + 1)
        return not waits

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Receive what is there, or wait for it."""
        if not self._reading:
            self._begin(reading=True)
        if self.gettimeout() is not None:
            if self._left() <= 0:
                raise Stalled
            data = super().recv(size, flags)
        else:
            data = self._receive(size, flags | socket.MSG_DONTWAIT)
        self._moved += len(data)
        return data

    def sendall(self, data: ReadableBuffer, flags: int = 0, /) -> None:
        """Send everything."""
        if self.gettimeout() is not None:
            super().sendall(data, flags)
            return
        if self._reading:
            self._begin(reading=False)
        left = memoryview(data).cast("B")
        while left:
            try:
                sent = super().send(left, flags | socket.MSG_DONTWAIT)
            except BlockingIOError:
                self._wait(select.POLLOUT)
            else:
                self._moved += sent
                left = left[sent:]

    def _receive(self, size: int, flags: int) -> bytes:
        while True:
            try:
                return super().recv(size, flags)
            except BlockingIOError:
                self._wait(select.POLLIN)

    def _begin(self, *, reading: bool) -> None:
        self._began, self._moved, self._reading = monotonic(), 0, reading

    def _left(self) -> float:
        earned = self._moved / LEAST_RATE
        return min(self._patience_s, self._began + self._patience_s + earned - monotonic())

    def _wait(self, what: int) -> None:
        waiting = select.poll()
        waiting.register(self, what)
        left = self._left()
        if left <= 0 or not waiting.poll(left * 1000):
            raise Stalled


class Lingering:
    """Connections that were answered and whose clients have not closed them yet.

    A connection that is closed with unread bytes is reset, and the client may lose the answer. So
    only our side is closed, and what still comes is read until the client has closed its own.

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
        self._until: deque[tuple[float, socket.socket]] = deque()

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
        self._until.append((monotonic() + LINGER_S, connection))

    def end_overdue(self) -> None:
        """Close those whose time is over."""
        while self._until and (self._until[0][1].fileno() == -1 or self._until[0][0] < monotonic()):
            _, connection = self._until.popleft()
            if connection.fileno() != -1:
                self._close(connection)

    def _hear(self, connection: socket.socket, _: object) -> None:
        try:
            if connection.recv(65_536):
                return
        except BlockingIOError:
            return
        except OSError:
            # It has left in another way.
            pass
        self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        connection.close()
        self._closed()
