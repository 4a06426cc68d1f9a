"""A load generator: one kept-alive connection, one request after another, in rounds."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Target:
    """A request, the status that it must get, and a connection of its own."""

    url: str
    expect: int
    method: str = "GET"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Connection:
    """Sends one request again and again on one connection."""

    def __init__(self, target: Target) -> None:
        parts = urlsplit(target.url)
        self._target = target
        self._path = parts.path
        self._http = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)

    def median_s(self, requests: int) -> float:
        """Median of the seconds that each request took, its whole answer read."""
        return statistics.median(self.send() for _ in range(requests))

    def send(self) -> float:
        """Send it once; the seconds until its whole answer was read."""
        target = self._target
        started = time.perf_counter()
        self._http.request(target.method, self._path, body=target.body, headers=target.headers)
        answer = self._http.getresponse()
        body = answer.read()
        seconds = time.perf_counter() - started
        if answer.status != target.expect:
            raise RuntimeError(
                f"{target.method} {target.url} answered {answer.status}: {body[:300]!r}"
            )
        return seconds

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


def in_turns(targets: Sequence[Target], *, rounds: int, requests: int) -> list[list[float]]:
    """Medians in seconds, a list a target, an entry a round; targets take turns in each round.

    A first round that is not counted warms up both sides.
    """
    connections = [Connection(target) for target in targets]
    try:
        medians = [
            [connection.median_s(requests) for connection in connections] for _ in range(rounds + 1)
        ]
    finally:
        for connection in connections:
            connection.close()
    return [list(column) for column in zip(*medians[1:], strict=True)]


def multipart(data: bytes, *, boundary: str = "limelight-bench") -> tuple[bytes, dict[str, str]]:
    """A form with one file named ``image``, and its headers."""
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="image"; filename="image.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
