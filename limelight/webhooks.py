"""Reading callbacks: nothing of one is to be believed before its signature was checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError

from limelight.errors import BadSettings, WebhookRejected

ID_HEADER = "webhook-id"


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookEvent:
    """What a callback says.

    Attributes
    ----------
    id : str
        The same for every try of one delivery: a receiver that has seen it may stop there.
    type : str
        Such as ``explanation.succeeded``.
    timestamp : datetime or None
        When it happened.
    data : mapping
        Brief news of the job: id, status, model, metadata, top classes, links.
    raw : mapping
        The whole body.
    """

    id: str
    type: str
    timestamp: datetime | None
    data: Mapping[str, Any]
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def job_id(self) -> str | None:
        """Id of the job that it is about."""
        found = self.data.get("id")
        return found if isinstance(found, str) else None


def verify_webhook(
    body: bytes, headers: Mapping[str, str], *, secret: str | Sequence[str]
) -> WebhookEvent:
    """Check the signature of a callback (Standard Webhooks) and read it.

    Parameters
    ----------
    body : bytes
        As it came, before anything has parsed it.
    headers : mapping of str to str
        In any case of letters.
    secret : str or sequence of str
        ``whsec_...``; several while secrets are being rotated: one has to match.

    Raises
    ------
    WebhookRejected
        If it is not signed by one of them, or not within five minutes of now, or not readable.
    BadSettings
        If a secret is not one.
    """
    secrets = [secret] if isinstance(secret, str) else list(secret)
    reasons = [_reason_to_reject(body, headers, verifier(item)) for item in secrets]
    if not reasons:
        raise BadSettings("There is no secret to check callbacks with.")
    if all(reasons):
        raise WebhookRejected(f"The callback was rejected: {reasons[0]}.")
    return read_webhook(body, headers)


def read_webhook(body: bytes, headers: Mapping[str, str]) -> WebhookEvent:
    """Read a callback without any check of who sent it.

    Raises
    ------
    WebhookRejected
        If it is not one.
    """
    names = {name.lower(): value for name, value in headers.items()}
    try:
        document = json.loads(body)
        timestamp = document.get("timestamp")
        return WebhookEvent(
            id=names.get(ID_HEADER, ""),
            type=str(document["type"]),
            timestamp=None if timestamp is None else datetime.fromisoformat(timestamp),
            data=dict(document["data"]),
            raw=document,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WebhookRejected("The body is not a callback of Limelight.") from error


def verifier(secret: str) -> Webhook:
    """Make what checks signatures; raises BadSettings for what is no secret."""
    try:
        return Webhook(secret.strip())
    except (ValueError, EmptyWebhookSecretError) as error:
        raise BadSettings("A webhook secret has the form whsec_ and base64.") from error


def _reason_to_reject(body: bytes, headers: Mapping[str, str], verifier: Webhook) -> str | None:
    try:
        verifier.verify(body, dict(headers), json_parse=False)
    except WebhookVerificationError as error:
        return str(error)
    except ValueError:
        # The library lets through what it could not take apart: base64, UTF-8, a missing comma.
        return "Malformed signature"
    return None
