"""A small HTTP server on loopback that takes callbacks and hands them over."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import click

from limelight.errors import WebhookRejected
from limelight.webhooks import ID_HEADER, WebhookEvent, read_webhook, verifier, verify_webhook

LOOPBACK = "127.0.0.1"
# The service promises less than 20 kB.
MAX_BODY = 65_536
MAX_READ = 1_000_000
READ_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """A request that came to the port.

    Attributes
    ----------
    id : str or None
        Its ``webhook-id``.
    event : WebhookEvent or None
        What it says; None if it was rejected.
    is_verified : bool or None
        Whether its signature holds; None if there was no secret to check it with.
    problem : str or None
        Why it was rejected.
    """

    id: str | None
    event: WebhookEvent | None
    is_verified: bool | None
    problem: str | None


class Listener:
    """Callbacks as they come.

    Parameters
    ----------
    port : int
        Of loopback; 0 takes a free one.
    secrets : sequence of str
        None of them: nothing is checked.

    Raises
    ------
    BadSettings
        If a secret is not one.
    OSError
        If the port cannot be had.
    """

    def __init__(self, port: int, *, secrets: Sequence[str]) -> None:
        for secret in secrets:
            verifier(secret)
        self._secrets = list(secrets)
        self._received: queue.SimpleQueue[Received] = queue.SimpleQueue()
        check, hand_over = self._check, self._received.put

        class Handler(_Handler):
            def do_POST(self) -> None:
                received = self.read(check)
                # Only now, as whoever waits for it may end the process.
                if received is not None:
                    hand_over(received)

        self.server = ThreadingHTTPServer((LOOPBACK, port), Handler)
        self.port = self.server.server_address[1]

    def received(self) -> Iterator[Received]:
        """Wait for each callback."""
        while True:
            yield self._received.get()

    def _check(self, body: bytes, headers: Mapping[str, str]) -> Received:
        event, problem = None, None
        try:
            if self._secrets:
                event = verify_webhook(body, headers, secret=self._secrets)
            else:
                event = read_webhook(body, headers)
        except WebhookRejected as error:
            problem = str(error)
        return Received(
            id=headers.get(ID_HEADER),
            event=event,
            is_verified=(event is not None) if self._secrets else None,
            problem=problem,
        )


@contextmanager
def listening(port: int, *, secrets: Sequence[str]) -> Iterator[Listener]:
    """Listen until the block ends."""
    try:
        listener = Listener(port, secrets=secrets)
    except OSError as error:
        raise click.ClickException(
            f"Port {port} cannot be used: {error.strerror}. Choose another with --port."
        ) from error
    thread = Thread(target=listener.server.serve_forever, name="webhooks", daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        listener.server.shutdown()
        listener.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    timeout = READ_TIMEOUT_S
    protocol_version = "HTTP/1.1"

    def read(self, check: Callable[[bytes, Mapping[str, str]], Received]) -> Received | None:
        """Read a callback and answer it; None if it was too long to be one."""
        received = None
        length = self.headers.get("Content-Length", "")
        announced = int(length) if length.isascii() and length.isdigit() else None
        # A connection closed with unread bytes is reset, and the sender loses the answer.
        body = self.rfile.read(min(announced or 0, MAX_READ))
        if announced is None or announced > MAX_BODY:
            status = 411 if announced is None else 413
            self.close_connection = True
        else:
            received = check(body, {name.lower(): text for name, text in self.headers.items()})
            status = 400 if received.event is None else 204
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.flush()
        return received

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - The name it has there.
        """Say nothing: what came is printed by the command."""
