"""The job: what a client submitted, where it stands, and which steps it may take.

These are plain frozen values. The store (``worker.jobs.store``) keeps them in Redis and makes
every transition in one atomic step; nothing else changes a job.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

SCHEMA_VERSION = 1
DEFAULT_TENANT = "default"

Status = Literal["queued", "processing", "succeeded", "failed", "canceled", "expired"]
QueueName = Literal["interactive", "bulk"]

# What a webhook can be told: a job's first start, and how it ended.
WEBHOOK_EVENTS = tuple(
    f"explanation.{status}"
    for status in ("processing", "succeeded", "failed", "canceled", "expired")
)

TERMINAL: frozenset[Status] = frozenset({"succeeded", "failed", "canceled", "expired"})

# From a status to those it may become. A job that is handed back goes from processing to queued.
TRANSITIONS: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {
        "queued": frozenset({"processing", "failed", "canceled", "expired"}),
        "processing": frozenset({"queued", "succeeded", "failed", "canceled"}),
        "succeeded": frozenset(),
        "failed": frozenset(),
        "canceled": frozenset(),
        "expired": frozenset(),
    }
)

# \Z, because $ also matches before a newline at the end.
_ID = re.compile(r"^exp_[0-9a-f]{32}\Z")
_TENANT = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}\Z")


@dataclass(frozen=True, slots=True)
class JobRef:
    """Which job: its tenant and its id. This, as text, is all that travels through the queue."""

    tenant: str
    id: str

    def __str__(self) -> str:
        return f"{self.tenant}/{self.id}"

    @classmethod
    def new(cls, tenant: str = DEFAULT_TENANT) -> JobRef:
        """Make a fresh reference with 128 random bits."""
        return cls(tenant, f"exp_{secrets.token_hex(16)}")

    @classmethod
    def parse(cls, text: str) -> JobRef:
        """Read the text form.

        Raises
        ------
        ValueError
            If the text is not a reference.
        """
        tenant, _, job_id = text.partition("/")
        if not is_tenant(tenant) or not is_job_id(job_id):
            raise ValueError(f"not a job reference: {text[:80]!r}")
        return cls(tenant, job_id)


def is_tenant(text: str) -> bool:
    """Whether the text has the form of a tenant's name."""
    return _TENANT.match(text) is not None


def is_job_id(text: str) -> bool:
    """Whether the text has the form of a job id. Anything else is unknown without a look-up."""
    return _ID.match(text) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadedImage:
    """The image as uploaded, after EXIF orientation: sha256 of the bytes, size in pixels."""

    sha256: str
    width: int
    height: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """Where the client wants to be called, and for which of ``WEBHOOK_EVENTS``."""

    url: str
    events: tuple[str, ...] = WEBHOOK_EVENTS


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRequest:
    """What the client asked for, checked, with every default filled in.

    Attributes
    ----------
    model : str
        Name of a configured model.
    version : int or None
        The servable version asked for; None pins the latest (or the profile's) at the claim.
    classes : mapping or tuple of int
        ``{"top": n}``, or class indices.
    preset : str
    options : mapping
        ``ExplanationOptions`` as JSON values.
    overlays : tuple of mapping
        ``Picture`` objects as JSON values, one per style.
    has_segments : bool
        Whether a label map was uploaded with the image.
    metadata : mapping of str to str
        The client's own, returned as it came.
    webhook : Webhook or None
        Who is told what becomes of the job.
    """

    model: str
    version: int | None = None
    classes: Mapping[str, Any] | tuple[int, ...]
    preset: str
    options: Mapping[str, Any]
    overlays: tuple[Mapping[str, Any], ...]
    has_segments: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    webhook: Webhook | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a job is: the stage it is in, samples scored, and the most that may be scored."""

    stage: str = "queued"
    samples_done: int = 0
    samples_limit: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a job failed, in the terms of ``web``'s problem details, without protocol.

    Attributes
    ----------
    type : str
        One of ``predictor-unavailable``, ``predictor-deadline``, ``predictor-rejected``,
        ``model-version-gone``, ``bad-model-output``, ``worker-lost``, ``timed-out``,
        ``image-too-uniform``, ``invalid-image``, ``unknown-class``, ``invalid-request`` (options
        that turned out not to suit the image), ``internal``.
    detail : str
        What happened and what to do, for the client: no path, address or trace.
    stage : str
        Where it happened.
    retryable : bool
        Whether the same job may succeed later.
    grpc_status : str or None
        Name of the model server's status code, where it gave one.
    """

    type: str
    title: str
    detail: str
    stage: str
    retryable: bool
    grpc_status: str | None = None


# How a job ends that was started as often as is allowed; its stage is where it last was.
WORKER_LOST = Failure(
    type="worker-lost",
    title="No worker finished the job",
    detail="The job was started as often as is allowed and each time its worker was lost or gave "
    "up. Explain a smaller image or fewer samples, or look at the worker's log.",
    stage="",
    retryable=True,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One explanation job. Times are Unix seconds of the Redis clock.

    Attributes
    ----------
    computed_by : str or None
        Id of the job whose result and pictures this one shares, if it did not make its own.
    traceparent : str or None
        The client's trace, or the one begun for it (``worker.telemetry.trace``).
    """

    ref: JobRef
    status: Status
    queue: QueueName
    request: JobRequest
    image: UploadedImage
    created_at: float
    deadline_at: float
    retention_s: int
    started_at: float | None = None
    finished_at: float | None = None
    expires_at: float | None = None
    published_at: float | None = None
    not_before: float | None = None
    waiting_for: str | None = None
    fence: int = 0
    lease_until: float | None = None
    worker: str | None = None
    attempts: int = 0
    cancel_requested: bool = False
    progress: Progress = field(default_factory=Progress)
    result: Mapping[str, Any] | None = None
    error: Failure | None = None
    computed_by: str | None = None
    traceparent: str | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended. A job that has ended never changes again."""
        return self.status in TERMINAL

    @property
    def maker(self) -> JobRef:
        """The job under which the artifacts are stored: this one, or the one that it shares."""
        return JobRef(self.ref.tenant, self.computed_by or self.ref.id)


def upload_key(ref: JobRef) -> str:
    """Blob key of the image as uploaded."""
    return f"{ref}/upload/image"


def upload_segments_key(ref: JobRef) -> str:
    """Blob key of the label map uploaded with the job."""
    return f"{ref}/upload/segments"


def artifact_key(ref: JobRef, fence: int, name: str) -> str:
    """Blob key of something that a worker made.

    The fence keeps attempts apart: a worker that lost its lease cannot overwrite what its
    successor wrote.
    """
    return f"{ref}/{fence}/{name}"
