"""Which trace something belongs to, as W3C Trace Context writes it in the header ``traceparent``.

A client's trace goes on through the job: it is recorded with it, stands in the logs of every
process that touches the job, and is sent on to the model server and to the webhook's receiver.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Self

HEADER = "traceparent"

_SAMPLED = 1
# \Z, because $ also matches before a newline at the end. Later versions may append fields.
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.{0,200})?\Z")


@dataclass(frozen=True, slots=True)
class Trace:
    """A place in a trace.

    Attributes
    ----------
    trace_id : str
        32 hexadecimal digits, the same for all that belongs together.
    span_id : str
        16 hexadecimal digits: the one step within it.
    is_sampled : bool
        Whether whoever began it records it.
    """

    trace_id: str
    span_id: str
    is_sampled: bool = False

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{int(self.is_sampled):02x}"

    @classmethod
    def new(cls, *, is_sampled: bool = False) -> Self:
        """Begin a trace."""
        return cls(secrets.token_hex(16), secrets.token_hex(8), is_sampled)

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """Read a ``traceparent``; None if there is none or it is not valid."""
        found = _FORM.match(text or "")
        if found is None:
            return None
        version, trace_id, span_id, flags, further = found.groups()
        if version == "ff" or (version == "00" and further is not None):
            return None
        if not int(trace_id, 16) or not int(span_id, 16):
            return None
        return cls(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))

    def child(self) -> Self:
        """Return a further step of the same trace."""
        return replace(self, span_id=secrets.token_hex(8))


_current: ContextVar[Trace | None] = ContextVar("limelight_trace", default=None)


def current() -> Trace | None:
    """Return the step that is being worked on here; None outside of any."""
    return _current.get()


@contextmanager
def working_on(trace: Trace) -> Iterator[None]:
    """Work on this step until the block ends."""
    token = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(token)
