"""``GET /v1/explanations/{id}/events``: admitted here like any request, and then handed over."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from flask import Response, request
from werkzeug.datastructures import Headers
from werkzeug.http import http_date

from web import sse
from web.errors import MalformedRequest, TooManyStreams
from web.paths import path_prefix
from web.ports import JobStore
from web.streams import Streams
from worker.jobs.events import Event
from worker.jobs.job import Job, JobRef

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class HandedOver(BrokenPipeError):
    """Ends the request of a stream whose socket was handed over.

    To gunicorn it looks as if the client had left, so nothing is written.
    """

    def __init__(self) -> None:
        super().__init__(errno.EPIPE, "the event streams have the socket")


class StreamResponse(Response):
    """An answer that goes on in the thread of the streams, head and all."""

    def __init__(self, streams: Streams, *, ref: JobRef, seen: sse.EventId) -> None:
        super().__init__(self._through_pair())
        self._streams = streams
        self._ref = ref
        self._seen = seen
        # Neither the thread of the streams nor the server's knows the request.
        self._prefix = path_prefix()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Hand gunicorn's socket over; elsewhere, answer as any other view does."""
        taken: socket.socket | None = environ.get("gunicorn.socket")
        if taken is None or isinstance(taken, ssl.SSLSocket):
            return super().__call__(environ, start_response)
        chunked = environ["SERVER_PROTOCOL"] != "HTTP/1.0"
        head = _head(self.get_wsgi_headers(environ), chunked=chunked)
        # ``detach`` leaves gunicorn an object without a socket, so that it cannot close the
        # connection: see web.server.
        connection = socket.socket(fileno=taken.detach())
        self._streams.add(
            connection,
            ref=self._ref,
            after=self._seen,
            prefix=self._prefix,
            head=head,
            chunked=chunked,
        )
        raise HandedOver

    def _through_pair(self) -> Iterator[bytes]:
        """Pass the stream on where the server keeps its sockets, at the cost of a thread."""
        ours, theirs = socket.socketpair()
        with ours:
            self._streams.add(theirs, ref=self._ref, after=self._seen, prefix=self._prefix)
            while data := ours.recv(65_536):
                yield data


def _head(headers: Headers, *, chunked: bool) -> bytes:
    """Write the head of an answer after which the connection is closed.

    A client that took the connection for another request at the moment when it is closed would
    see that request fail, so it is told beforehand; gunicorn would not say so.
    """
    lines = [f"{name}: {value}" for name, value in headers]
    lines += [f"Date: {http_date()}", "Connection: close"]
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode("latin-1")


def answer(job: Job, *, store: JobStore, streams: Streams) -> Response:
    """Begin a stream, or answer at once if the job has ended.

    Raises
    ------
    MalformedRequest
        If Last-Event-ID is no id of ours.
    TooManyStreams
    """
    past = store.events(job.ref)
    latest = sse.read_id(past[-1].id) if past else sse.EventId()
    # An id from the future would wait for ever: whoever made it up is told what comes from now on.
    seen = min(_last_seen(), latest)
    if job.is_terminal:
        return _whole([event for event in past if sse.read_id(event.id) > seen], job)
    if request.method == "HEAD":
        return _headed(Response())
    if streams.is_full:
        raise TooManyStreams
    return _headed(StreamResponse(streams, ref=job.ref, seen=seen))


def _last_seen() -> sse.EventId:
    text = request.headers.get("Last-Event-ID", "")
    try:
        return sse.read_id(text) if text else sse.EventId()
    except ValueError as error:
        raise MalformedRequest("The header Last-Event-ID holds no id of an event here.") from error


def _whole(events: list[Event], job: Job) -> Response:
    if not events:
        # The client has seen the end. This status tells an EventSource to connect no more.
        return _headed(Response(status=204))
    messages = [
        sse.message(event, job if sse.is_last(event) else None, prefix=path_prefix())
        for event in events
    ]
    return _headed(Response(b"".join(messages)))


def _headed(response: Response) -> Response:
    response.content_type = sse.MEDIA_TYPE
    # nginx would hold events back until it has a buffer full of them.
    response.headers["X-Accel-Buffering"] = "no"
    return response
