"""The ports of the web process in memory, with a switch for every way in which they can fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from web.keys import KeyInfo
from web.principal import scopes_of
from worker.jobs.catalogue import ModelEntry
from worker.jobs.condition import Backlog, Condition
from worker.jobs.errors import (
    AnotherRequest,
    BlobMissing,
    ErasedJob,
    JobEnded,
    QueueFull,
    QueueUnavailable,
    StillCreating,
    StoreFull,
    StoreUnavailable,
    UnknownJob,
)
from worker.jobs.events import Event
from worker.jobs.idempotency import Answered, Reservation
from worker.jobs.job import Job, JobRef, JobRequest, QueueName, Status, UploadedImage
from worker.jobs.listing import Page, Position
from worker.webhooks.outbox import Attempt, Delivery, DeliveryLog, NothingToRedeliver

NOW = 1_760_000_000.25
SECRET_ADDRESS = "redis://user:hunter2@10.1.2.3:6379/0"


class MemoryStore:
    def __init__(self):
        self.jobs: dict[JobRef, Job] = {}
        self.erased: set[JobRef] = set()
        self.published: list[JobRef] = []
        self.deadlines: dict[JobRef, float] = {}
        self.happened: dict[JobRef, list[Event]] = {}
        self.down = False
        self.full = False

    def create(
        self,
        *,
        ref: JobRef,
        queue: QueueName,
        request: JobRequest,
        image: UploadedImage,
        deadline_s: float,
        retention_s: int,
        queue_limit: int | None,
        traceparent: str | None = None,
    ) -> Job:
        self._check()
        if self.full:
            raise StoreFull(f"maxmemory of {SECRET_ADDRESS}")
        if queue_limit is not None and self._open(ref.tenant) >= queue_limit:
            raise QueueFull(ref.tenant)
        self.jobs[ref] = Job(
            ref=ref,
            status="queued",
            queue=queue,
            request=request,
            image=image,
            created_at=NOW,
            deadline_at=NOW + deadline_s,
            retention_s=retention_s,
            traceparent=traceparent,
        )
        return self.jobs[ref]

    def get(self, ref: JobRef) -> Job:
        self._check()
        if ref in self.erased:
            raise ErasedJob(str(ref))
        if ref not in self.jobs:
            raise UnknownJob(str(ref))
        return self.jobs[ref]

    def page(
        self,
        tenant: str,
        *,
        status: Status | None,
        model: str | None,
        limit: int,
        after: Position | None,
    ) -> Page:
        self._check()
        places = {Position(job.created_at, ref.id): job for ref, job in self.jobs.items()}
        fitting = [
            (place, job)
            for place, job in sorted(places.items(), reverse=True)
            if job.ref.tenant == tenant
            and (after is None or place < after)
            and status in (None, job.status)
            and model in (None, job.request.model)
        ]
        shown = fitting[:limit]
        return Page(
            jobs=tuple(replace(job, result=None) for _, job in shown),
            next=shown[-1][0] if len(fitting) > limit else None,
        )

    def request_cancel(self, ref: JobRef) -> Job:
        job = self.get(ref)
        if job.is_terminal:
            raise JobEnded(str(ref))
        status = "canceled" if job.status == "queued" else job.status
        self.change(ref, status=status, cancel_requested=True)
        return self.jobs[ref]

    def discard(self, ref: JobRef) -> None:
        if not self.get(ref).is_terminal:
            self.change(ref, status="canceled")

    def erase(self, ref: JobRef, *, blobs_may_follow: bool) -> None:
        self._check()
        del self.jobs[ref]
        self.erased.add(ref)

    def events(self, ref: JobRef) -> list[Event]:
        self._check()
        return list(self.happened.get(ref, ()))

    def news(self, after: Mapping[JobRef, str]) -> Mapping[JobRef, list[Event] | None]:
        self._check()
        return {
            ref: [one for one in self.events(ref) if _order(one.id) > _order(known)]
            if ref in self.jobs
            else None
            for ref, known in after.items()
        }

    def happen(self, ref: JobRef, kind: str, **data: str) -> Event:
        """Let something have happened to a job."""
        past = self.happened.setdefault(ref, [])
        past.append(Event(id=f"{len(past) + 1}-0", type=kind, at=NOW, data=data))
        return past[-1]

    def _open(self, tenant: str) -> int:
        return sum(job.ref.tenant == tenant and not job.is_terminal for job in self.jobs.values())

    def mark_published(self, ref: JobRef) -> None:
        self._check()
        self.published.append(ref)

    def change(self, ref: JobRef, **changes: Any) -> None:
        self.jobs[ref] = replace(self.jobs[ref], **changes)

    def _check(self) -> None:
        if self.down:
            raise StoreUnavailable(f"Redis cannot be used: {SECRET_ADDRESS}")


def _order(event_id: str) -> list[int]:
    return [int(part) for part in event_id.split("-")]


class MemoryReservations:
    """Reservations by tenant and key."""

    def __init__(self, store: MemoryStore):
        self._store = store
        self.kept: dict[tuple[str, str], tuple[str, JobRef, bytes | None]] = {}

    def reserve(self, ref: JobRef, *, key: str, fingerprint: str) -> Reservation | Answered:
        known = self.kept.setdefault((ref.tenant, key), (fingerprint, ref, None))
        if known[0] != fingerprint:
            raise AnotherRequest
        if known[1] in self._store.erased:
            raise ErasedJob
        if known[2] is not None:
            return Answered(known[1], known[2])
        if known[1] != ref:
            raise StillCreating
        return Reservation(key, ref, "call")

    def keep(self, reservation: Reservation, answer: bytes) -> None:
        place = (reservation.job.tenant, reservation.key)
        self.kept[place] = (*self.kept[place][:2], answer)

    def release(self, reservation: Reservation) -> None:
        del self.kept[reservation.job.tenant, reservation.key]


class MemoryOutbox:
    """Deliveries as the tests put them; a redelivery makes the latest pending."""

    def __init__(self, store: MemoryStore):
        self._store = store
        self.kept: dict[JobRef, list[Delivery]] = {}
        self.redelivered: list[JobRef] = []

    def log(self, ref: JobRef) -> DeliveryLog | None:
        webhook = self._store.get(ref).request.webhook
        if ref not in self.kept or webhook is None:
            return None
        return DeliveryLog(webhook.url, tuple(self.kept[ref]))

    def redeliver(self, ref: JobRef) -> str:
        if self.log(ref) is None:
            raise NothingToRedeliver(str(ref))
        self.redelivered.append(ref)
        latest = self.kept[ref].pop()
        self.kept[ref].append(replace(latest, state="pending", next_try_at=NOW))
        return latest.event

    def add(self, ref: JobRef, status: str, **changes: Any) -> Delivery:
        """Let an event have been told, at the first try."""
        told = Delivery(
            id=f"msg_{ref.id.removeprefix('exp_')}_{status}",
            event=f"explanation.{status}",
            at=NOW,
            state="delivered",
            attempts=(Attempt(at=NOW + 0.5, took_s=0.125, status_code=204),),
            next_try_at=None,
        )
        self.kept.setdefault(ref, []).append(replace(told, **changes))
        return self.kept[ref][-1]


class MemoryBlobs:
    def __init__(self):
        self.kept: dict[str, bytes] = {}
        self.reads = 0

    def put(self, key: str, data: bytes) -> None:
        self.kept[key] = bytes(data)

    def release(self, ref: JobRef, *, owner: JobRef) -> None:
        self.erase(str(ref))

    def get(self, key: str) -> bytes:
        self.reads += 1
        try:
            return self.kept[key]
        except KeyError as error:
            raise BlobMissing(key) from error

    def erase(self, prefix: str) -> None:
        self.kept = {key: data for key, data in self.kept.items() if not key.startswith(prefix)}


class MemoryQueue:
    def __init__(self):
        self.messages: list[tuple[JobRef, QueueName]] = []
        self.down = False

    def publish(self, ref: JobRef, queue_name: QueueName) -> None:
        if self.down:
            raise QueueUnavailable(SECRET_ADDRESS)
        self.messages.append((ref, queue_name))


class MemoryKeys:
    """Keys by their text. ``add`` makes one; what becomes of it is said with ``change``."""

    def __init__(self):
        self.kept: dict[str, KeyInfo] = {}
        self.ended: set[str] = set()
        self.reads = 0
        self.down = False

    def add(self, text: str, *, tenant: str = "acme", scopes: str = "submit read") -> str:
        self.kept[text] = KeyInfo(
            id=f"{len(self.kept):012x}",
            name=text,
            tenant=tenant,
            scopes=scopes_of(scopes.split()),
            created_at=NOW,
        )
        return text

    def change(self, text: str, **changes: Any) -> None:
        self.kept[text] = replace(self.kept[text], **changes)

    def any(self) -> bool:
        self._check()
        return bool(self.kept)

    def verify(self, text: str) -> KeyInfo | None:
        self._check()
        return self.kept.get(text)

    def in_session(self, key_id: str, *, session_id: str) -> KeyInfo | None:
        return None if session_id in self.ended else self.by_id(key_id)

    def end_session(self, session_id: str, *, lasts_s: float) -> None:
        self._check()
        assert lasts_s > 0
        self.ended.add(session_id)

    def secret(self) -> str:
        self._check()
        return "a secret of the tests' own"

    def by_id(self, key_id: str) -> KeyInfo | None:
        self._check()
        return next((info for info in self.kept.values() if info.id == key_id), None)

    def _check(self) -> None:
        self.reads += 1
        if self.down:
            raise StoreUnavailable(SECRET_ADDRESS)


class FixedCatalogue:
    def __init__(self, entries: Mapping[str, ModelEntry]):
        self.entries = dict(entries)
        self.seen: dict[str, float] = {"host/1": NOW}
        self.backlogs = {"interactive": Backlog(depth=0, oldest_s=0.0)}
        self.problems: tuple[str, ...] = ()
        self.refusal: str | None = None
        self.reads = 0
        self.down = False

    def models(self) -> Mapping[str, ModelEntry]:
        self._check()
        self.reads += 1
        return dict(self.entries)

    def workers(self) -> Mapping[str, float]:
        self._check()
        return self.seen

    def condition(self) -> Condition:
        self._check()
        return Condition(
            at=NOW + 5,
            backlogs=self.backlogs,
            open_jobs=0,
            deliveries=0,
            memory_used=0,
            memory_limit=0,
            problems=self.problems,
            refusal=self.refusal,
        )

    def _check(self) -> None:
        if self.down:
            raise StoreUnavailable(SECRET_ADDRESS)


class FixedImages:
    """Images by URL, of which some may be exceptions; notes who asked for which."""

    def __init__(self, kept: Mapping[str, bytes | Exception]):
        self.kept = dict(kept)
        self.asked: list[tuple[str, str]] = []

    def fetch(self, url: str, *, tenant: str) -> bytes:
        self.asked.append((url, tenant))
        found = self.kept[url]
        if isinstance(found, Exception):
            raise found
        return found
