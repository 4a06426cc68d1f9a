"""One client of an event stream: its socket, what it has not taken yet, and the times it has."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from web.sse import RETRY, EventId
from worker.jobs.job import JobRef

# A client that leaves this much unread has stopped reading. A job as JSON is far smaller.
MOST_PENDING = 1_000_000
# Unacknowledged bytes for so long mean that the other machine is gone, in milliseconds.
_USER_TIMEOUT_MS = 30_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """Times in seconds.

    Attributes
    ----------
    news_s : float
        How often Redis is asked. Workers report progress about three times a second.
    heartbeat_s : float
        A client that got nothing for so long is sent a comment.
    stuck_s : float
        A client that takes nothing for so long is dropped.
    lifetime_s : float
        A stream that is older is ended. Its client connects again, goes on where it was, and has
        to show once more that it may: so a key that was revoked does not listen on for ever.
    """

    news_s: float = 0.2
    heartbeat_s: float = 15.0
    stuck_s: float = 30.0
    lifetime_s: float = 300.0


class Gone(Exception):
    """The client has closed the connection, or does not read."""


@dataclass(eq=False, kw_only=True, slots=True)
class Follower:
    """A client that follows a job.

    Attributes
    ----------
    connection : socket.socket
        Its socket, which nobody else uses any more.
    ref : JobRef
    after : EventId
        The latest event that it was sent.
    prefix : str
        What the paths that it is told begin with.
    head : bytes
        What the answer begins with.
    chunked : bool
        Whether the answer goes in chunks, as HTTP/1.1 has it; an older client reads to the end.
    opened_at, wrote_at, stuck_since : float or None
        Monotonic seconds; ``stuck_since`` while it has not taken what it was sent.
    """

    connection: socket.socket
    ref: JobRef
    after: EventId
    prefix: str
    head: bytes
    chunked: bool
    opened_at: float
    wrote_at: float
    stuck_since: float | None = None
    ending: bool = False
    _pending: bytearray = field(default_factory=bytearray)

    def begin(self, *, now: float) -> None:
        """Make the socket fit for one thread that serves many, and send the head.

        Raises
        ------
        Gone
        """
        self.connection.setblocking(False)
        options = {socket.TCP_NODELAY: 1}
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            options[socket.TCP_USER_TIMEOUT] = _USER_TIMEOUT_MS
        if self.connection.family in (socket.AF_INET, socket.AF_INET6):
            try:
                for option, value in options.items():
                    self.connection.setsockopt(socket.IPPROTO_TCP, option, value)
            except OSError as error:
                raise Gone from error
        self._pending += self.head
        self.send(RETRY, now=now)

    @property
    def is_behind(self) -> bool:
        """Whether there is something that it has not taken yet."""
        return bool(self._pending)

    def send(self, data: bytes, *, now: float) -> None:
        """Send as much as it takes, and keep the rest.

        Raises
        ------
        Gone
        """
        self.wrote_at = now
        self._pending += b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data
        if len(self._pending) > MOST_PENDING:
            raise Gone
        self.flush(now=now)

    def end(self, *, now: float) -> None:
        """Send the end of the answer; the connection is closed once it was taken."""
        if not self.ending:
            self.ending = True
            self._pending += b"0\r\n\r\n" if self.chunked else b""
            self.flush(now=now)

    def flush(self, *, now: float) -> None:
        """Send what it takes of what was kept.

        Raises
        ------
        Gone
        """
        try:
            while self._pending:
                del self._pending[: self.connection.send(self._pending)]
        except BlockingIOError:
            self.stuck_since = self.stuck_since or now
            return
        except OSError as error:
            raise Gone from error
        self.stuck_since = None

    def hear(self) -> None:
        """Find out why the socket can be read: the client has nothing to say but that it leaves.

        Raises
        ------
        Gone
        """
        try:
            heard = self.connection.recv(4096)
        except BlockingIOError:
            return
        except OSError as error:
            raise Gone from error
        if not heard:
            raise Gone
