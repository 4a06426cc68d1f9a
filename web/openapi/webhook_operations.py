"""What is said of the routes of a job's webhook, by their endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from web.openapi.examples import JOB_ID
from web.openapi.parts import Answer, Operation
from web.webhook_documents import WebhookLog

_WEBHOOKS = "Webhooks"
_JOB = f"/v1/explanations/{JOB_ID}"
_TOLD: Mapping[str, Any] = {
    "id": f"msg_{JOB_ID.removeprefix('exp_')}_succeeded",
    "event": "explanation.succeeded",
    "at": "2026-03-01T09:30:05.480Z",
    "state": "pending",
    "attempts": [
        {
            "at": "2026-03-01T09:30:05.500Z",
            "took_s": 0.21,
            "status_code": 503,
            "error": "status",
            "detail": None,
        }
    ],
    "next_try_at": "2026-03-01T09:30:10.710Z",
}
LOG: Mapping[str, Any] = {
    "url": "https://example.org/hook",
    "events": ["explanation.succeeded", "explanation.failed"],
    "deliveries": [_TOLD],
    "links": {
        "self": f"{_JOB}/webhook",
        "job": _JOB,
        "redeliver": f"{_JOB}/webhook/redeliver",
    },
}

WEBHOOK_OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "webhook.show": Operation(
            id="getWebhook",
            tag=_WEBHOOKS,
            summary="See what a webhook was told",
            description="Each event with every try. A job without a webhook is answered by 404.",
            answers={
                200: Answer(description="The delivery log.", body=WebhookLog, example=LOG),
            },
        ),
        "webhook.redeliver": Operation(
            id="redeliverWebhook",
            tag=_WEBHOOKS,
            summary="Tell a webhook once more",
            description="The latest event is sent again at once, with the same `webhook-id` and "
            "all its tries. One that is still pending is brought forward.",
            answers={202: Answer(description="The log, with what is due.", body=WebhookLog)},
            problems=("conflict",),
        ),
    }
)
