"""What webhooks are sent, and the delivery log as the API answers it, as types.

``worker.webhooks.payload`` makes what is sent.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from web.job_documents import (
    ClassIndex,
    Fidelity,
    JobId,
    JobModel,
    Path,
    Score,
    Seconds,
    Timestamp,
)
from web.schemas import WebhookEvent
from worker.webhooks.outbox import State


class Attempt(TypedDict):
    """One try to tell an event: it has a status code, or an error, or both."""

    at: Timestamp
    took_s: Seconds
    status_code: int | None
    error: Annotated[str | None, Field(description="What went wrong, in a word.")]
    detail: Annotated[str | None, Field(description="The same in a sentence.")]


class Delivery(TypedDict):
    """What became of one event."""

    id: Annotated[str, Field(description="The `webhook-id` of every try.", pattern="^msg_")]
    event: WebhookEvent
    at: Annotated[Timestamp, Field(description="When it happened.")]
    state: State
    attempts: Annotated[list[Attempt], Field(description="Oldest first; of very many the latest.")]
    next_try_at: Annotated[Timestamp | None, Field(description="Null once it is not pending.")]


class WebhookLinks(TypedDict):
    """Paths; `redeliver` is there once something has happened that the webhook is to be told."""

    self: Path
    job: Path
    redeliver: NotRequired[Path]


class WebhookLog(TypedDict):
    """A job's webhook, and what it was told."""

    url: str
    events: Annotated[list[WebhookEvent], Field(description="What it is to be told.")]
    deliveries: Annotated[list[Delivery], Field(description="In the order of their events.")]
    links: WebhookLinks


class WebhookExplanation(TypedDict):
    """Why the model gives one class its score, in brief."""

    class_index: ClassIndex
    class_name: str | None
    score: Score
    fidelity: Fidelity
    settled: bool | None


class WebhookFailure(TypedDict):
    """Why the job failed."""

    type: Annotated[str, Field(description="Path of a page that says what to do.")]
    title: str
    detail: str
    stage: str
    retryable: bool
    grpc_status: str | None


class WebhookJobLinks(TypedDict):
    """Where to read more, with a key."""

    self: Path


class WebhookJob(TypedDict):
    """The job at the event, in brief."""

    id: JobId
    status: Literal["processing", "succeeded", "failed", "canceled", "expired"]
    model: JobModel
    metadata: dict[str, str] | None
    explanations: Annotated[
        list[WebhookExplanation] | None, Field(description="Null unless it succeeded.")
    ]
    error: Annotated[WebhookFailure | None, Field(description="Null unless it failed.")]
    links: WebhookJobLinks
    left_out: NotRequired[
        Annotated[
            list[Literal["explanations", "metadata"]],
            Field(description="What is null because the body would have been too long."),
        ]
    ]


class WebhookBody(TypedDict):
    """The body of a webhook: less than 20 kB, the same at every try."""

    type: WebhookEvent
    timestamp: Annotated[Timestamp, Field(description="When it happened.")]
    data: WebhookJob
