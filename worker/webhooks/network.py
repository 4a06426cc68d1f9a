"""Connections that lead to checked addresses only, end in time, and carry so many bytes at most.

This is a network backend for httpcore, which asks it for every connection. TLS, SNI, certificates
and HTTP stay httpcore's, and are told the host's name, not the address. The timeouts that httpcore
hands over are not used: each bounds one operation, and a receiver could make any number of them.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpcore

from worker.webhooks.addresses import Policy, Target, check_addresses

# An answer to a webhook is its status and a few headers. Its body is not read.
MAX_ANSWER_BYTES = 65_536
# Of a name with very many addresses, the first ones.
MAX_ADDRESSES = 4

# From host and port to addresses; raises OSError if there are none.
Resolver = Callable[[str, int], Sequence[str]]


class AnswerTooLarge(Exception):
    """The other side sends more than its answer may have."""


class Unresolved(Exception):
    """The host's name leads to no address."""


def system_resolver(host: str, port: int) -> list[str]:
    """Resolve by the system, in its order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Deadline:
    """A moment by which everything has to be done."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left.

        Raises
        ------
        httpcore.TimeoutException
            If there are none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time is over")
        return left


class CheckedNetwork(httpcore.NetworkBackend):
    """Connects to addresses that were checked, and to nothing else.

    Parameters
    ----------
    target : Target
    policy : Policy
    resolve : callable
    deadline : Deadline
    most_bytes : int
        How much is read from a connection, heads of answers included.
    """

    def __init__(
        self,
        target: Target,
        policy: Policy,
        resolve: Resolver,
        deadline: Deadline,
        *,
        most_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._target = target
        self._policy = policy
        self._resolve = resolve
        self._deadline = deadline
        self._most_bytes = most_bytes
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve, check, connect to the first address that answers."""
        resolved = _within(self._deadline, lambda: self._resolve(host, port))
        checked = check_addresses(resolved, self._target, self._policy)[:MAX_ADDRESSES]
        for position, address in enumerate(checked):
            left = self._deadline.left()
            try:
                stream = self._sockets.connect_tcp(
                    str(address),
                    port,
                    # One that does not answer leaves time for the others.
                    timeout=left / (len(checked) - position),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if position == len(checked) - 1:
                    raise
            else:
                return _BoundedStream(stream, self._deadline, _Allowance(self._most_bytes))
        raise Unresolved(host)


@contextmanager
def exchange(
    method: str,
    target: Target,
    network: CheckedNetwork,
    *,
    tls: ssl.SSLContext,
    headers: Mapping[str, str],
    body: bytes | None = None,
) -> Iterator[httpcore.Response]:
    """Send one request over a connection of its own; the answer's body is left to be read.

    Raises
    ------
    AddressRefused, Unresolved, AnswerTooLarge
    httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError
        The causes of a ``NetworkError`` name addresses.
    """
    origin = httpcore.Origin(target.scheme.encode(), target.host.encode(), target.port)
    url = httpcore.URL(
        scheme=origin.scheme, host=origin.host, port=origin.port, target=target.path.encode()
    )
    sent = {"Host": target.authority, "Connection": "close", **headers}
    with (
        httpcore.HTTPConnection(origin, ssl_context=tls, network_backend=network) as connection,
        connection.stream(method, url, headers=list(sent.items()), content=body) as response,
    ):
        yield response


class _Allowance:
    """How much may still be read."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise AnswerTooLarge


class _BoundedStream(httpcore.NetworkStream):
    """A connection that ends at the deadline, and after so many bytes were read."""

    # Written in pieces, each within what is then left: a receiver may read slowly too.
    PIECE = 4096

    def __init__(
        self, stream: httpcore.NetworkStream, deadline: Deadline, allowance: _Allowance
    ) -> None:
        self._stream = stream
        self._deadline = deadline
        self._allowance = allowance

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, self._deadline.left())
        self._allowance.take(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), self.PIECE):
            self._stream.write(buffer[start : start + self.PIECE], self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        return _BoundedStream(stream, self._deadline, self._allowance)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _within(deadline: Deadline, look_up: Callable[[], Sequence[str]]) -> Sequence[str]:
    """Look a name up, and stop waiting for it at the deadline.

    ``getaddrinfo`` cannot be interrupted, so it is left behind in a thread of its own, which the
    system's resolver ends in its own time.
    """
    answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put(look_up())
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=work, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left())
    except queue.Empty:
        raise httpcore.ConnectTimeout("the name was not resolved in time") from None
    if isinstance(answer, Exception):
        raise Unresolved from answer
    return answer
