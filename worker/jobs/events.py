"""What happened to a job, as its event stream tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened to a job: type (a status, or ``progress``), Unix time, details."""

    id: str
    type: str
    at: float
    data: Mapping[str, str]


def read_event(event_id: bytes, fields: Mapping[bytes, bytes]) -> Event:
    """Make an event of an entry of the stream."""
    data = {name.decode(): value.decode() for name, value in fields.items()}
    return Event(id=event_id.decode(), type=data.pop("type"), at=float(data.pop("at")), data=data)
