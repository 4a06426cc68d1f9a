"""Server-sent events as bytes: what happened to a job, the last of it the job itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from web.job_view import job_view, timestamp
from worker.jobs.events import Event
from worker.jobs.job import TERMINAL, Job

MEDIA_TYPE = "text/event-stream"
# How long an EventSource waits before it connects again, in milliseconds.
RETRY = b"retry: 2000\n\n"
# A comment: it keeps proxies from closing a quiet connection, and finds clients that are gone.
HEARTBEAT = b":\n\n"

_ID = re.compile(r"^(\d{1,19})(?:-(\d{1,19}))?\Z")


class EventId(NamedTuple):
    """Id of an event, in the order in which events happened: milliseconds, then a number."""

    milliseconds: int = 0
    number: int = 0

    def __str__(self) -> str:
        return f"{self.milliseconds}-{self.number}"


def read_id(text: str) -> EventId:
    """Read an id.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = _ID.match(text)
    if found is None:
        raise ValueError("not the id of an event")
    return EventId(int(found[1]), int(found[2] or 0))


def is_last(event: Event) -> bool:
    """Whether nothing happens to the job after this."""
    return event.type in TERMINAL


def message(event: Event, job: Job | None, *, prefix: str) -> bytes:
    """Show an event; the last needs the job, and its paths begin with the prefix."""
    return happened(event) if job is None else ended(event, job, prefix=prefix)


def happened(event: Event) -> bytes:
    """Show something that happened on the way: those members of the job that it changed."""
    data: dict[str, Any] = {
        "status": "processing" if event.type == "progress" else event.type,
        "at": timestamp(event.at),
    }
    if "attempt" in event.data:
        data["attempts"] = int(event.data["attempt"])
    if "stage" in event.data:
        counts = {name: int(event.data[name]) for name in ("samples_done", "samples_limit")}
        data["progress"] = {"stage": event.data["stage"], **counts}
    if event.data.get("waiting_for"):
        data["waiting_for"] = event.data["waiting_for"]
    return _message(event.id, event.type, data)


def ended(event: Event, job: Job, *, prefix: str) -> bytes:
    """Show the last event: the job as a poll would show it, its paths with this prefix."""
    return _message(event.id, event.type, job_view(job, prefix=prefix))


def _message(event_id: str, name: str, data: Mapping[str, object]) -> bytes:
    # JSON has no line breaks outside of what it escapes, so the data are one line.
    body = json.dumps(data, separators=(",", ":"))
    return f"id: {event_id}\nevent: {name}\ndata: {body}\n\n".encode()
