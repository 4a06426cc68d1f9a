"""``GET /v1/explanations/{id}/events``: the answer begins here and goes on in ``web.streams``."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Response, request

from web import sse
from web.errors import MalformedRequest, TooManyStreams
from web.ports import JobStore
from web.streams import Streams
from worker.jobs.job import Job, JobRef


class HandedOver(BrokenPipeError):
    """Ends the iteration of an answer whose socket was handed over.

    To gunicorn it looks as if the client had left, so nothing more is written.
    """

    def __init__(self) -> None:
        super().__init__(errno.EPIPE, "the event streams have the socket")


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
    return _headed(Response(_body(request.environ, job.ref, seen, streams=streams)))


def _last_seen() -> sse.EventId:
    text = request.headers.get("Last-Event-ID", "")
    try:
        return sse.read_id(text) if text else sse.EventId()
    except ValueError as error:
        raise MalformedRequest("The header Last-Event-ID holds no id of an event here.") from error


def _whole(events: list[Any], job: Job) -> Response:
    if not events:
        # The client has seen the end. This status tells an EventSource to connect no more.
        return _headed(Response(status=204))
    messages = [
        sse.ended(event, job) if sse.is_last(event) else sse.happened(event) for event in events
    ]
    return _headed(Response(b"".join(messages)))


def _headed(response: Response) -> Response:
    response.content_type = sse.MEDIA_TYPE
    response.headers["Cache-Control"] = "no-store"
    # nginx would hold events back until it has a buffer full of them.
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _body(
    environ: Mapping[str, Any], ref: JobRef, seen: sse.EventId, *, streams: Streams
) -> Iterator[bytes]:
    """Yield the beginning, by which gunicorn sends the head; then hand the socket over."""
    yield sse.RETRY
    taken: socket.socket | None = environ.get("gunicorn.socket")
    if taken is None or isinstance(taken, ssl.SSLSocket):
        yield from _through_pair(ref, seen, streams=streams)
        return
    # ``detach`` leaves gunicorn an object without a socket, so that it cannot close the connection:
    # see web.server.
    connection = socket.socket(fileno=taken.detach())
    chunked = environ["SERVER_PROTOCOL"] != "HTTP/1.0"
    streams.add(connection, ref=ref, after=seen, chunked=chunked)
    raise HandedOver


def _through_pair(ref: JobRef, seen: sse.EventId, *, streams: Streams) -> Iterator[bytes]:
    """Pass a stream on where the server keeps its sockets, at the cost of a thread."""
    ours, theirs = socket.socketpair()
    with ours:
        streams.add(theirs, ref=ref, after=seen, chunked=False)
        while data := ours.recv(65_536):
            yield data
