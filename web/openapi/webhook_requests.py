"""What the service itself sends: the requests that webhooks get, by their events."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from web.openapi.examples import FINISHED, JOB_ID
from web.openapi.parts import JSON
from web.openapi.schemas import Schemas
from web.webhook_documents import WebhookBody
from worker.jobs.job import WEBHOOK_EVENTS

_WHEN: Mapping[str, str] = MappingProxyType(
    {
        "processing": "A worker has started a job",
        "succeeded": "A job has its result",
        "failed": "A job has failed",
        "canceled": "A job was canceled",
        "expired": "A job was not started before its deadline",
    }
)
_SIGNED = (
    "Signed by the Standard Webhooks scheme: verify the bytes as they came, with a library of that "
    "scheme and the tenant's secret, before anything parses them."
)
_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "webhook-id": "Names the event; the same at every try and every redelivery.",
        "webhook-timestamp": "When this try was made, Unix seconds.",
        "webhook-signature": "One signature for each valid secret, separated by spaces.",
    }
)
_ANSWERS: Mapping[str, str] = MappingProxyType(
    {
        "2XX": "It was taken. Any other answer, or none within 15 s, is tried again, ten times in "
        "three days; `Retry-After` is honoured, redirects are not followed.",
        "410": "It is not wanted, and not tried again.",
    }
)
EXAMPLE: Mapping[str, Any] = MappingProxyType(
    {
        "type": "explanation.succeeded",
        "timestamp": FINISHED["finished_at"],
        "data": {
            "id": JOB_ID,
            "status": "succeeded",
            "model": FINISHED["model"],
            "metadata": FINISHED["metadata"],
            "explanations": [
                {name: told[name] for name in ("class_index", "class_name", "score")}
                | {"fidelity": told["fidelity"], "settled": told["settled"]}
                for told in FINISHED["explanations"]
            ],
            "error": None,
            "links": {"self": FINISHED["links"]["self"]},
        },
    }
)


def webhook_requests(schemas: Schemas) -> dict[str, Any]:
    """Describe the request of each event."""
    return {event: {"post": _request(event, schemas)} for event in WEBHOOK_EVENTS}


def _request(event: str, schemas: Schemas) -> dict[str, Any]:
    status = event.removeprefix("explanation.")
    content: dict[str, Any] = {"schema": dict(schemas.of(WebhookBody))}
    if event == EXAMPLE["type"]:
        content["example"] = dict(EXAMPLE)
    return {
        "summary": _WHEN[status],
        "description": _SIGNED,
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "schema": {"type": "string"},
                "description": description,
            }
            for name, description in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {JSON: content}},
        "responses": {status: {"description": text} for status, text in _ANSWERS.items()},
    }
