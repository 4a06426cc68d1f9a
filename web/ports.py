"""What the web process needs of the rest, as it sees it: records, bytes, a queue, a catalogue.

``worker.jobs`` has the real ones; the unit tests bring their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from web.keys import KeyInfo
from worker.jobs.catalogue import ModelEntry
from worker.jobs.events import Event
from worker.jobs.idempotency import Answered, Reservation
from worker.jobs.job import Job, JobRef, JobRequest, QueueName, Status, UploadedImage
from worker.jobs.listing import Page, Position
from worker.webhooks.outbox import DeliveryLog


class JobStore(Protocol):
    """The job records."""

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
        traceparent: str | None,
    ) -> Job:
        """Write the record and its entry among the open jobs, in one step.

        Raises ``QueueFull`` if the tenant has ``queue_limit`` open jobs already.
        """

    def get(self, ref: JobRef) -> Job:
        """Return the job, or raise ``UnknownJob`` or ``ErasedJob``."""

    def mark_published(self, ref: JobRef) -> None:
        """Note that the queue has been told of the job."""

    def page(
        self,
        tenant: str,
        *,
        status: Status | None,
        model: str | None,
        limit: int,
        after: Position | None,
    ) -> Page:
        """Return some of a tenant's jobs, newest first."""

    def request_cancel(self, ref: JobRef) -> Job:
        """Cancel a job or have its worker do so, or raise ``JobEnded``, as well as ``get``'s."""

    def discard(self, ref: JobRef) -> None:
        """Begin to erase a job, whatever its status, or raise what ``get`` raises."""

    def erase(self, ref: JobRef, *, blobs_may_follow: bool) -> None:
        """Forget a job, except that it was there."""

    def events(self, ref: JobRef) -> list[Event]:
        """Return what happened to a job, oldest first."""

    def news(self, after: Mapping[JobRef, str]) -> Mapping[JobRef, list[Event] | None]:
        """Return what happened to each job after an event; None where it is no longer there."""


class Blobs(Protocol):
    """Bytes by key. What has no record in the end is swept away."""

    def put(self, key: str, data: bytes) -> None:
        """Store the bytes; a reader sees all of them or none."""

    def get(self, key: str) -> bytes:
        """Return the bytes, or raise ``BlobMissing``."""

    def erase(self, prefix: str) -> None:
        """Erase all that a job stored; its reference as text is the prefix."""

    def release(self, ref: JobRef, *, owner: JobRef) -> None:
        """Erase what a job stored, unless others need it."""


class Queue(Protocol):
    """The way to the workers. It carries references, nothing else."""

    def publish(self, ref: JobRef, queue_name: QueueName) -> None:
        """Tell the workers of a job, or raise ``QueueUnavailable``."""


class Catalogue(Protocol):
    """What the workers say about the models that they are configured for."""

    def models(self) -> Mapping[str, ModelEntry]:
        """Return the models by name."""

    def workers(self) -> Mapping[str, float]:
        """Return when each worker was last seen, in Unix seconds."""


class Reservations(Protocol):
    """Requests that may be repeated, by the clients' idempotency keys."""

    def reserve(self, ref: JobRef, *, key: str, fingerprint: str) -> Reservation | Answered:
        """Reserve a key, or return what it stands for.

        Raises ``AnotherRequest``, ``StillCreating`` or ``ErasedJob``.
        """

    def keep(self, reservation: Reservation, answer: bytes) -> None:
        """Keep the answer to a request."""

    def release(self, reservation: Reservation) -> None:
        """Let a key be used again, because its request was refused."""


class Keys(Protocol):
    """The API keys."""

    def any(self) -> bool:
        """Whether there is, or ever was, a key."""

    def verify(self, text: str) -> KeyInfo | None:
        """Return the key that a client sent, or None if it is not good."""

    def by_id(self, key_id: str) -> KeyInfo | None:
        """Return what is known of a key, whether or not it is valid."""

    def in_session(self, key_id: str, *, session_id: str) -> KeyInfo | None:
        """Return the same for the key behind a session; None if the session was ended."""

    def end_session(self, session_id: str, *, lasts_s: float) -> None:
        """Remember for ``lasts_s`` seconds that a session was ended."""

    def secret(self) -> str:
        """Return what sessions and share links are signed with, the same in all processes."""


class Outbox(Protocol):
    """What webhooks were told, and are yet to be told."""

    def log(self, ref: JobRef) -> DeliveryLog | None:
        """Return the deliveries of a job's webhook; None if nothing was to be told yet."""

    def redeliver(self, ref: JobRef) -> str:
        """Send the latest event once more, or raise ``NothingToRedeliver``; return its name."""


class Images(Protocol):
    """Images that requests name by their URL."""

    def fetch(self, url: str, *, tenant: str) -> bytes:
        """Return the image's bytes.

        Raises ``InvalidRequest``, ``ImageTooLarge`` or ``TooManyFetches``.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """The four of them."""

    store: JobStore
    blobs: Blobs
    queue: Queue
    catalogue: Catalogue
