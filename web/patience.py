"""How long a client may keep its request waiting.

gunicorn's threads read and write blocking sockets, so as many clients as there are threads, each
of which sends half a request or does not read its answer, would keep everybody else waiting. Here
a thread that waits for its client leaves its slot to another request (``web.slots``), and does not
wait without end.
"""

from __future__ import annotations

import errno
import fcntl
import select
import socket
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Self

from web.slots import CannotWait, Slots

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# Whoever keeps moving this much has as much time as it takes: bytes a second.
LEAST_RATE = 20_000.0
# Who has only begun counts as if it had moved at that rate for so long.
_BEGINNING_S = 1.0
# A head of so many bytes is for the server to judge, whether or not it is whole.
MOST_HEAD = 65_536
# A socket takes no more than this beyond what the client's side has room for. Otherwise it takes
# megabytes and is not writable again before a third of them is gone, which for a client of
# 60 kB/s is longer than patience lasts.
_MOST_UNSENT = 131_072
# How often it is looked whether a client takes anything.
_LOOK_S = 0.5


class Stalled(ConnectionResetError):
    """The client was too slow. To gunicorn it looks as if it had left, so the connection ends."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client was too slow")


class PatientSocket(socket.socket):
    """A client's socket that gives up on one that stalls.

    A client is waited for ``patience_s``, and longer as it moves bytes of its request; so with
    its answer. No single silence is longer. Where a timeout is set, that holds instead.

    Attributes
    ----------
    target : bytes
        What the latest whole head asks for, without its query.
    close_after : callable
        Has the connection closed after the answer to the request in hands.
    held : int
        Bytes of memory that the request holds while the client is waited for.
    """

    target: bytes = b""
    close_after: Callable[[], None]
    held: int = 0
    _patience_s: float
    _slots: Slots
    _moved: int
    _waited_s: float
    _waits_since: float | None = None
    _reading: bool
    _peeked: int = 0

    @classmethod
    def instead_of(cls, connection: socket.socket, *, patience_s: float, slots: Slots) -> Self:
        """Take a connection over; the given object is left without one."""
        blocking = connection.getblocking()
        taken = cls(fileno=connection.detach())
        taken._patience_s = patience_s
        taken._slots = slots
        if hasattr(socket, "TCP_NOTSENT_LOWAT") and taken.family != socket.AF_UNIX:
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MOST_UNSENT)
        taken.setblocking(blocking)
        return taken

    def setblocking(self, flag: bool, /) -> None:
        """Set whether calls wait; gunicorn does so before each request."""
        super().setblocking(flag)
        self._begin(reading=True)

    @property
    def rate(self) -> float:
        """How fast the client is, in bytes a second of waiting."""
        waited_s = self._waited_s
        if self._waits_since is not None:
            waited_s += monotonic() - self._waits_since
        return (self._moved + LEAST_RATE * _BEGINNING_S) / (waited_s + _BEGINNING_S)

    def disconnect(self) -> None:
        """End the connection from another thread than the one that waits."""
        self.shutdown(socket.SHUT_RDWR)

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
        self.target = _target(seen) if whole else b""
        return not waits

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Receive what is there, or wait for it."""
        if self.gettimeout() is not None:
            return super().recv(size, flags)
        if not self._reading:
            self._begin(reading=True)
        data = self._receive(size, flags)
        if data is None:
            self.held = self._moved
            with self._waiting():
                while data is None:
                    self._wait(select.POLLIN)
                    data = self._receive(size, flags)
        self._moved += len(data)
        return data

    def send(self, data: ReadableBuffer, flags: int = 0, /) -> int:
        """Send everything, too: a wait for the client has its end here only."""
        self.sendall(data, flags)
        return memoryview(data).nbytes

    def sendall(self, data: ReadableBuffer, flags: int = 0, /) -> None:
        """Send everything."""
        if self.gettimeout() is not None:
            super().sendall(data, flags)
            return
        if self._reading:
            self._begin(reading=False)
        whole = memoryview(data).cast("B")
        left = self._send(whole, flags)
        if not left:
            return
        self.held = len(whole)
        # What is left to do takes no slot: nothing is computed any more.
        with self._waiting():
            while left:
                self._wait(select.POLLOUT)
                left = self._send(left, flags)

    def _receive(self, size: int, flags: int) -> bytes | None:
        """Receive what is there at once; None if there is nothing yet."""
        try:
            return super().recv(size, flags | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None

    def _send(self, data: memoryview, flags: int) -> memoryview:
        """Send what the socket takes at once; return the rest."""
        try:
            while data:
                sent = super().send(data, flags | socket.MSG_DONTWAIT)
                self._moved += sent
                data = data[sent:]
        except BlockingIOError:
            pass
        return data

    def _begin(self, *, reading: bool) -> None:
        self._waited_s, self._moved, self._reading = 0.0, 0, reading

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        try:
            with self._slots.lent(self):
                yield
        except CannotWait:
            raise Stalled from None

    def _wait(self, what: int) -> None:
        waiting = select.poll()
        waiting.register(self, what)
        self._waits_since = silent_since = monotonic()
        unread = self._unread()
        try:
            while (left_s := self._left_s(silent_since)) > 0:
                if waiting.poll(min(left_s, _LOOK_S) * 1000):
                    return
                # What is too little for the socket to be writable again is progress all the same.
                if (now_unread := self._unread()) < unread:
                    silent_since, unread = monotonic(), now_unread
            raise Stalled
        finally:
            self._waited_s += monotonic() - self._waits_since
            self._waits_since = None

    def _left_s(self, silent_since: float) -> float:
        silence_s = monotonic() - silent_since
        assert self._waits_since is not None  # noqa: S101 - This is asked within a wait.
        waited_s = self._waited_s + monotonic() - self._waits_since
        return self._patience_s + min(-silence_s, self._moved / LEAST_RATE - waited_s)

    def _unread(self) -> int:
        """Bytes of the answer that the client's side has not taken yet."""
        if self._reading:
            return 0
        answer = fcntl.ioctl(self, termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(answer, sys.byteorder)


def _target(head: bytes) -> bytes:
    words = head.split(b"\r\n", 1)[0].split(b" ")
    return words[1].partition(b"?")[0] if len(words) > 1 else b""
