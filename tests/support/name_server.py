"""A DNS server on loopback that answers every name with the addresses it was given last."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_HEADER = 12
_A = 1
_ANSWER = b"\x81\x80"
_REFUSED = b"\x81\x85"
# The name of the question, class IN, a time to live of one second.
_RECORD = b"\xc0\x0c" + struct.pack(">HHIH", _A, 1, 1, 4)


class NameServer:
    """Answers questions for IPv4 addresses (RFC 1035).

    Attributes
    ----------
    port : int
        Where it listens (UDP).
    addresses : list of str
        What it answers; with none it refuses.
    asked : int
        Questions so far.
    """

    def __init__(self, *addresses: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._ended = threading.Event()
        self.port: int = self._socket.getsockname()[1]
        self.addresses = list(addresses)
        self.asked = 0

    def serve(self) -> None:
        """Answer until ``close``."""
        with self._socket:
            while True:
                question, client = self._socket.recvfrom(512)
                if self._ended.is_set():
                    return
                self.asked += 1
                self._socket.sendto(self._answer(question), client)

    def _answer(self, question: bytes) -> bytes:
        end = question.index(0, _HEADER) + 5
        wants_a = struct.unpack(">H", question[end - 4 : end - 2])[0] == _A
        found = self.addresses if wants_a else []
        counts = struct.pack(">HHHH", 1, len(found), 0, 0)
        records = b"".join(_RECORD + socket.inet_aton(address) for address in found)
        flags = _ANSWER if self.addresses else _REFUSED
        return question[:2] + flags + counts + question[_HEADER:end] + records

    def close(self) -> None:
        """Answer nothing more."""
        self._ended.set()
        # Closing alone does not wake a thread that waits for a datagram.
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waking:
            waking.sendto(b"", ("127.0.0.1", self.port))


@contextmanager
def name_server(*addresses: str) -> Iterator[NameServer]:
    """Run a name server."""
    server = NameServer(*addresses)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(timeout=5)
