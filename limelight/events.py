"""Server-sent events: from the bytes of a stream to events, and from events to jobs."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from limelight.models import Job

MEDIA_TYPE = "text/event-stream"
# What an event on the way may change of a job.
_TOLD = ("status", "attempts", "progress", "waiting_for")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerEvent:
    """One event of a stream.

    Attributes
    ----------
    name : str
        Its type; ``message`` where the stream gives none.
    data : str
    """

    name: str
    data: str


class EventParser:
    """Parser of an event stream, fed as the bytes come (HTML standard, 9.2.6).

    Attributes
    ----------
    last_id : str or None
        Id of the last event: where to go on after the connection was lost.
    retry_s : float or None
        How long the server asks to wait before connecting again.
    """

    _decode: Callable[[bytes], str]
    _rest: str
    _name: str
    _data: list[str]

    def __init__(self) -> None:
        self.last_id: str | None = None
        self.retry_s: float | None = None
        self.reconnect()

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """Events that are complete with this chunk."""
        text = self._rest + self._decode(chunk)
        # A carriage return at the end may be the first half of a line's end.
        held = "\r" if text.endswith("\r") else ""
        text = text.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n")
        *lines, last = text.split("\n")
        self._rest = last + held
        for line in lines:
            event = self._take(line)
            if event is not None:
                yield event

    def reconnect(self) -> None:
        """Forget a half event: a new connection begins with a whole one."""
        self._decode = _decoder()
        self._rest, self._name, self._data = "", "", []

    def _take(self, line: str) -> ServerEvent | None:
        if not line:
            return self._complete()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value
        elif name == "id" and "\0" not in value:
            self.last_id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_s = int(value[:9]) / 1000
        return None

    def _complete(self) -> ServerEvent | None:
        event = ServerEvent(name=self._name or "message", data="\n".join(self._data))
        had_data = bool(self._data)
        self._name, self._data = "", []
        return event if had_data else None


def told(job: Job, event: ServerEvent) -> Job | None:
    """Read the job out of an event: a whole job, or news of the one known so far.

    Returns None for an event that says nothing of a job: a later version may send others.
    """
    try:
        news = json.loads(event.data)
    except ValueError:
        return None
    if not isinstance(news, dict):
        return None
    known: dict[str, Any] = {name: news[name] for name in _TOLD if name in news}
    if not known:
        return None
    is_whole = news.get("id") == job.id
    return Job.from_json({**job.raw, **(news if is_whole else known)})


def _decoder() -> Callable[[bytes], str]:
    return codecs.getincrementaldecoder("utf-8-sig")(errors="replace").decode
