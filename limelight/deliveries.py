"""What a job's webhook was told, as the service answers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from limelight.reading import known_fields, moment, read


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One try: when, for how long, and the status code or what went wrong."""

    at: datetime | None = None
    took_s: float | None = None
    status_code: int | None = None
    error: str | None = None
    detail: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """What became of one event.

    Attributes
    ----------
    id : str
        The ``webhook-id`` of every try; ``WebhookEvent.id`` at the receiver.
    event : str
        Such as ``explanation.succeeded``.
    state : str
        ``pending``, ``delivered`` or ``undeliverable``.
    attempts : tuple of Attempt
        Oldest first; of very many only the latest.
    next_try_at : datetime or None
        None once it is not pending.
    """

    id: str
    event: str
    state: str
    at: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    next_try_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryLog:
    """A job's webhook: its address, the events that it is told, and what became of each."""

    url: str
    events: tuple[str, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_json(cls, document: Any) -> DeliveryLog:
        """Read a log; raises BadAnswer if it is not one."""
        return read("a delivery log", _log, document)


def _log(document: Mapping[str, Any]) -> DeliveryLog:
    known = known_fields(DeliveryLog, document)
    known["events"] = tuple(document.get("events") or ())
    known["deliveries"] = tuple(map(_delivery, document.get("deliveries") or ()))
    return DeliveryLog(**known, raw=document)


def _delivery(document: Mapping[str, Any]) -> Delivery:
    known = known_fields(Delivery, document)
    known["at"], known["next_try_at"] = map(moment, map(document.get, ("at", "next_try_at")))
    known["attempts"] = tuple(map(_attempt, document.get("attempts") or ()))
    return Delivery(**known)


def _attempt(document: Mapping[str, Any]) -> Attempt:
    return Attempt(**{**known_fields(Attempt, document), "at": moment(document.get("at"))})
