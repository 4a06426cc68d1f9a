"""The outbox in Redis: what webhooks have been told, what they are yet to be told, and when.

Events come into it by the transitions of jobs (``notify`` in ``worker/jobs/lua/job.lua``), in the
same atomic step. A delivery is taken for a while, tried, and settled; if whoever took it dies, it
is due again, with the same id.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import redis

from worker.jobs.codec import known, pairs, to_json
from worker.jobs.connection import store_errors
from worker.jobs.job import WEBHOOK_EVENTS, JobRef
from worker.jobs.keys import Keys
from worker.jobs.scripts import Argument, Scripts

State = Literal["pending", "delivered", "undeliverable"]

# Attempts are kept up to this size, the latest; a redelivery may be asked for again and again.
LOG_BYTES = 8192
_STATUSES = tuple(event.removeprefix("explanation.") for event in WEBHOOK_EVENTS)


class NothingToRedeliver(Exception):
    """The job has no webhook, or nothing has happened yet that it wants to know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One try: when (Unix seconds), for how long, and the status code or what went wrong."""

    at: float
    took_s: float
    status_code: int | None = None
    error: str | None = None
    detail: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """What became of one event.

    Attributes
    ----------
    id : str
        The ``webhook-id`` of every try.
    event : str
        One of ``WEBHOOK_EVENTS``.
    at : float
        When it happened, Unix seconds.
    state : str
        ``pending``, ``delivered`` or ``undeliverable``.
    attempts : tuple of Attempt
        Oldest first; of very many only the latest.
    next_try_at : float or None
        None once it is not pending. During a try, the time at which its sender is given up.
    """

    id: str
    event: str
    at: float
    state: State
    attempts: tuple[Attempt, ...]
    next_try_at: float | None


@dataclass(frozen=True, slots=True)
class DeliveryLog:
    """All deliveries of a job's webhook, in the order of their events."""

    url: str
    deliveries: tuple[Delivery, ...]


class Member(NamedTuple):
    """An entry of the schedule: a job and the status that it tells of."""

    ref: JobRef
    status: str

    def __str__(self) -> str:
        return f"{self.ref}#{self.status}"

    @classmethod
    def parse(cls, text: str) -> Member:
        """Read an entry of the schedule."""
        ref, _, status = text.partition("#")
        return cls(JobRef.parse(ref), status)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """A delivery in hand: what to send and where, until the lease runs out."""

    member: Member
    url: str
    at: float
    tries: int
    token: str

    @property
    def id(self) -> str:
        """The ``webhook-id``, the same at each try."""
        return delivery_id(self.member)

    @property
    def event(self) -> str:
        """The name of the event."""
        return f"explanation.{self.member.status}"


def delivery_id(member: Member) -> str:
    """Return the id by which a receiver knows an event: of one job it is told each but once."""
    return f"msg_{member.ref.id.removeprefix('exp_')}_{member.status}"


class Outbox:
    """Deliveries in Redis. Every method raises ``StoreUnavailable`` when that cannot be reached.

    Parameters
    ----------
    client : redis.Redis
        From ``worker.jobs.connection.connect``: answers are bytes.
    prefix : str
        Start of every key.
    """

    def __init__(self, client: redis.Redis, *, prefix: str = "limelight") -> None:
        self._redis = client
        self._keys = Keys(prefix)
        self._scripts = Scripts(client)

    # --- what the web does ---------------------------------------------------------------------

    def log(self, ref: JobRef) -> DeliveryLog | None:
        """Read what was delivered of a job, and what was not; None if there is nothing yet."""
        members = [Member(ref, status) for status in _STATUSES]
        with store_errors(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(self._keys.outbox(ref))
            for member in members:
                pipeline.zscore(self._keys.deliveries, str(member))
            record, *due = pipeline.execute()
        if not record:
            return None
        deliveries = [
            _delivery(member, record, next_try_at)
            for member, next_try_at in zip(members, due, strict=True)
            if f"{member.status}:at".encode() in record
        ]
        return DeliveryLog(
            record[b"url"].decode(), tuple(sorted(deliveries, key=lambda delivery: delivery.at))
        )

    def redeliver(self, ref: JobRef) -> str:
        """Send the latest event once more, at once and with all its tries; return its name.

        It keeps its id. One that is still pending is not doubled, but brought forward.

        Raises
        ------
        NothingToRedeliver
        """
        outcome, *status = self._scripts.run("redeliver", self._of(ref), [str(ref), *_STATUSES])
        if outcome == b"nothing":
            raise NothingToRedeliver(str(ref))
        return f"explanation.{status[0].decode()}"

    # --- what the dispatcher does ----------------------------------------------------------------

    def due(self, *, limit: int) -> list[tuple[Member, str | None]]:
        """Find deliveries whose time has come, earliest first, each with its URL.

        The URL is None if the job was erased.
        """
        found = self._scripts.run("overdue", [self._keys.deliveries], [0, limit])
        members = [Member.parse(member.decode()) for member in found]
        with store_errors(), self._redis.pipeline(transaction=False) as pipeline:
            for member in members:
                pipeline.hget(self._keys.outbox(member.ref), "url")
            urls = cast("list[bytes | None]", pipeline.execute())
        return [
            (member, None if url is None else url.decode())
            for member, url in zip(members, urls, strict=True)
        ]

    def take(self, member: Member, *, lease_s: float) -> Parcel | None:
        """Take a delivery for so many seconds; None if it is not due, or no more."""
        token = secrets.token_hex(8)
        outcome, *rest = self._scripts.run(
            "take_delivery",
            self._of(member.ref),
            [str(member), member.status, token, lease_s],
        )
        if outcome != b"taken":
            return None
        record = pairs(rest[0])
        return Parcel(
            member=member,
            url=record[b"url"].decode(),
            at=float(record[f"{member.status}:at".encode()]),
            tries=int(record.get(f"{member.status}:tries".encode(), 0)),
            token=token,
        )

    def settle(
        self, parcel: Parcel, attempt: Attempt, *, state: State, delay_s: float = 0.0
    ) -> bool:
        """Note what came of a try; False if the delivery is no more in hand or was erased.

        Parameters
        ----------
        state : str
            ``pending`` if it is to be tried again.
        delay_s : float
            Seconds until then.
        """
        arguments: list[Argument] = [
            str(parcel.member),
            parcel.member.status,
            parcel.token,
            state,
            delay_s,
            to_json(attempt),
            LOG_BYTES,
        ]
        outcome = self._scripts.run("settle_delivery", self._of(parcel.member.ref), arguments)
        return bool(outcome[0] == b"settled")

    def put_off(self, members: Iterable[Member], *, delay_s: float) -> None:
        """Let deliveries wait so many seconds for their turn; that is no try."""
        names = [str(member) for member in members]
        if names:
            self._scripts.run("put_off_deliveries", [self._keys.deliveries], [delay_s, *names])

    def _of(self, ref: JobRef) -> list[str]:
        return [self._keys.outbox(ref), self._keys.deliveries]


def _delivery(member: Member, record: Mapping[bytes, bytes], next_try_at: float | None) -> Delivery:
    def field(name: str) -> str:
        return record.get(f"{member.status}:{name}".encode(), b"").decode()

    attempts: list[dict[str, Any]] = [json.loads(line) for line in field("log").splitlines()]
    state = cast("State", field("state"))
    return Delivery(
        id=delivery_id(member),
        event=f"explanation.{member.status}",
        at=float(field("at")),
        state=state,
        attempts=tuple(known(Attempt, attempt) for attempt in attempts),
        next_try_at=next_try_at if state == "pending" else None,
    )
