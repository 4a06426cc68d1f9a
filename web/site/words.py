"""Figures, times and states in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

_LEAST, _MOST = 0.001, 1e6
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

STATUSES: Mapping[str, str] = MappingProxyType(
    {
        "queued": "Waiting",
        "processing": "Working",
        "succeeded": "Done",
        "failed": "Failed",
        "canceled": "Canceled",
        "expired": "Expired",
    }
)
STAGES: Mapping[str, str] = MappingProxyType(
    {
        "queued": "Waiting for a worker",
        "claimed": "A worker has taken it",
        "following": "Another job does the same work; waiting for its result",
        "resolving": "Asking the model server for its version",
        "loading": "Reading the image",
        "segmenting": "Cutting the image into segments",
        "sampling": "Scoring perturbed images",
        "drawing": "Drawing the pictures",
        "storing": "Keeping the result",
        "done": "Done",
    }
)
WAITING: Mapping[str, str] = MappingProxyType(
    {
        "model-busy": "Other jobs have all the calls that the model takes.",
        "model-unavailable": "The model server cannot be used at the moment.",
        "storage": "The storage cannot be used at the moment.",
        "memory": "The worker has too little memory at the moment.",
    }
)

TRUST: Mapping[str, str] = MappingProxyType(
    {"good": "well", "fair": "fairly", "poor": "with care", "none": "do not read it"}
)
QUANTITIES: Mapping[str, str] = MappingProxyType(
    {"probability": "probability", "score": "score", "logit": "log-odds"}
)


def number(value: float) -> str:
    """Write a score with three digits behind the point, or as a power of ten."""
    if value == 0 or _LEAST <= abs(value) < _MOST:
        return f"{value:.3f}"
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{digits}e{int(exponent)}"


def signed(value: float) -> str:
    """Write an attribution, with its sign."""
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{number(abs(value))}"


def duration(seconds: float) -> str:
    """Write a length of time in one unit."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004
    units = ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"))
    length, name = next(unit for unit in units if seconds >= unit[0])
    count = round(seconds / length)
    return f"{count} {name}{'' if count == 1 else 's'}"


def ago(then: float, *, now: float) -> str:
    """Say how long ago something was."""
    return "just now" if now - then < 10 else f"{duration(now - then)} ago"  # noqa: PLR2004


def moment(seconds: float) -> str:
    """Write a time for reading, in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
