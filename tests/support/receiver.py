"""Receivers of webhooks: one that records and answers as told, raw enough to misbehave."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

LOOPBACK = "127.0.0.1"
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass(frozen=True)
class Request:
    """What came: head as text, headers in small letters, body; and when."""

    line: str
    headers: dict[str, str]
    body: bytes
    at: float


# What a receiver does after it has read a request.
Behaviour = Callable[[socket.socket, Request], None]


def answer(data: bytes) -> Behaviour:
    """Answer these bytes."""
    return lambda connection, _: connection.sendall(data)


def status(code: int, *headers: str) -> Behaviour:
    """Answer this status, with these header lines and a short body."""
    lines = [f"HTTP/1.1 {code} X", *headers, "Content-Length: 2", "", "ok"]
    return answer("\r\n".join(lines).encode())


def hang(seconds: float) -> Behaviour:
    """Answer nothing for so long, unless the sender leaves before."""

    def behave(connection: socket.socket, _: Request) -> None:
        connection.settimeout(seconds)
        with contextlib.suppress(TimeoutError, OSError):
            connection.recv(1)

    return behave


def late(seconds: float) -> Behaviour:
    """Answer well, but only after so long."""

    def behave(connection: socket.socket, request: Request) -> None:
        hang(seconds)(connection, request)
        connection.sendall(OK)

    return behave


def drip(piece: bytes, *, every_s: float, start: bytes = b"") -> Behaviour:
    """Answer a piece again and again, until the sender leaves."""

    def behave(connection: socket.socket, _: Request) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(piece)
            time.sleep(every_s)

    return behave


@dataclass
class Receiver:
    """A server on loopback; each connection has its thread.

    Attributes
    ----------
    behaviour : callable
        What it does with a request.
    tls : ssl.SSLContext or None
    address : str
    port : int
        None that is given is chosen when it starts.
    connections : int
        How many were accepted, whatever came of them.
    requests : list of Request
    """

    behaviour: Behaviour = field(default_factory=lambda: answer(OK))
    tls: ssl.SSLContext | None = None
    address: str = LOOPBACK
    port: int = 0
    connections: int = 0
    requests: list[Request] = field(default_factory=list)
    _open: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Listen."""
        self._listener = socket.create_server((self.address, self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        # What wakes a thread in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        # Senders that still wait are told at once.
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def url(self, path: str = "/hook", *, host: str | None = None) -> str:
        """Return the address of the receiver."""
        return f"{'https' if self.tls else 'http'}://{host or self.address}:{self.port}{path}"

    def wait_for(self, count: int, *, timeout_s: float = 10.0) -> list[Request]:
        """Wait until so many requests have come."""
        deadline = time.monotonic() + timeout_s
        while len(self.requests) < count:
            assert time.monotonic() < deadline, f"{len(self.requests)} of {count} requests came"
            time.sleep(0.005)
        return self.requests

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # A sender that leaves early is what many of these tests are about.
        with contextlib.suppress(OSError), contextlib.closing(connection):
            peer = self.tls.wrap_socket(connection, server_side=True) if self.tls else connection
            with contextlib.closing(peer):
                for request in _read(peer):
                    self.requests.append(request)
                    self.behaviour(peer, request)


def _read(connection: socket.socket) -> Iterator[Request]:
    stream = connection.makefile("rb")
    line = stream.readline().decode("latin-1").strip()
    if not line:
        return
    headers = {}
    while head := stream.readline().decode("latin-1").strip():
        name, _, value = head.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    yield Request(line, headers, body, time.monotonic())
