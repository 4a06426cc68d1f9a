"""The delivery log of a job's webhook as the API answers it, as types."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from web.job_documents import Path, Seconds, Timestamp
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
