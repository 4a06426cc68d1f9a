"""A TCP proxy on loopback that does what networks do: lose an answer, go silent, reset."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

# Seconds to linger: a socket that is closed with none sends a reset.
_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class _Link:
    """A client's connection and the one to the server that belongs to it."""

    client: socket.socket
    server: socket.socket
    silent: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        for end in (self.client, self.server):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                # Closing alone does not wake a thread that waits in recv.
                end.shutdown(socket.SHUT_RD)
                end.close()

    def close(self) -> None:
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class FaultProxy:
    """Passes bytes between clients and one server.

    Attributes
    ----------
    port : int
        Where it listens.
    lost : int
        Answers that were lost.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lose_next = threading.Event()
        self._links: set[_Link] = set()
        self.lost = 0
        self.port: int = self._listener.getsockname()[1]

    @property
    def open(self) -> int:
        """Connections that there are."""
        return len(self._links)

    def lose_next_answer(self) -> None:
        """Close the connection when the next answer comes, instead of passing it on."""
        self._lose_next.set()

    def silence(self) -> int:
        """Let nothing pass on the connections there are, and close none; return how many.

        To both sides it looks as if the other one was unplugged. New connections work.
        """
        links = list(self._links)
        for link in links:
            link.silent.set()
        return len(links)

    def reset(self) -> int:
        """Reset the connections there are; return how many."""
        links = list(self._links)
        for link in links:
            link.reset()
        return len(links)

    def serve(self) -> None:
        """Accept connections until ``close``."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                client.close()
                continue
            link = _Link(client, server)
            self._links.add(link)
            for answers in (False, True):
                threading.Thread(target=self._pass_on, args=(link, answers), daemon=True).start()

    def _pass_on(self, link: _Link, answers: bool) -> None:
        source, sink = (link.server, link.client) if answers else (link.client, link.server)
        with suppress(OSError):
            while data := source.recv(65536):
                if link.silent.is_set():
                    continue
                if answers and self._lose_next.is_set():
                    self._lose_next.clear()
                    self.lost += 1
                    break
                sink.sendall(data)
        if link.silent.is_set():
            # That one side has gone is what the other does not learn.
            return
        self._links.discard(link)
        link.close()

    def close(self) -> None:
        """Accept nothing more, and close all connections."""
        # Closing alone does not wake a thread that waits in accept.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in list(self._links):
            link.close()


@contextmanager
def fault_proxy(port: int) -> Iterator[FaultProxy]:
    """Run a proxy before the server on this port of loopback."""
    proxy = FaultProxy(port)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(timeout=5)
