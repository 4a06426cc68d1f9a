"""Signatures of webhooks by the Standard Webhooks scheme, and the secrets that make them.

A tenant has one secret, and two while it is being rotated; each request is signed with all of
them, so a receiver may hold either.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import cast

import redis
from standardwebhooks import Webhook

from worker.jobs.codec import known
from worker.jobs.connection import store_errors
from worker.jobs.keys import Keys

SECRET_BYTES = 32
# The newest and the one before it.
VALID_AT_A_TIME = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Secret:
    """A signing secret.

    Attributes
    ----------
    id : str
        Names it in lists; says nothing about it.
    text : str
        ``whsec_`` and base64, as receivers want it.
    created_at : float
        Unix seconds.
    """

    id: str
    text: str = field(repr=False)
    created_at: float

    @classmethod
    def new(cls, *, now: datetime) -> Secret:
        """Make one of 256 random bits."""
        return cls(
            id=f"whs_{secrets.token_hex(6)}",
            text=f"whsec_{b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}",
            created_at=now.timestamp(),
        )


def signed_headers(
    message_id: str, body: str, *, secrets: Sequence[Secret], at: datetime
) -> Mapping[str, str]:
    """Return the three headers of a signed request.

    Parameters
    ----------
    secrets : sequence of Secret
        At least one; a receiver that knows any of them is satisfied.
    at : datetime
        When this try is made, in UTC: the library drops any other offset without a word.
    """
    if at.tzinfo is not UTC:
        raise ValueError("the time of a signature must be in UTC")
    signatures = [Webhook(secret.text).sign(message_id, at, body) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


class SecretStore:
    """The tenants' secrets in Redis. They are stored as they are: signing needs them whole.

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

    def valid(self, tenant: str) -> tuple[Secret, ...]:
        """Return the secrets to sign with, newest first; none before the first rotation."""
        with store_errors():
            found = self._redis.lrange(self._keys.webhook_secrets(tenant), 0, VALID_AT_A_TIME - 1)
        return tuple(known(Secret, json.loads(entry)) for entry in cast("list[bytes]", found))

    def for_signing(self, tenant: str, *, now: datetime) -> tuple[Secret, ...]:
        """Return the secrets to sign with; a tenant that has none gets one, seen by nobody.

        Nothing is ever sent unsigned. Receivers that want to check are given a secret by a
        rotation, which makes a second one valid.
        """
        return self.valid(tenant) or (self.rotate(tenant, now=now),)

    def rotate(self, tenant: str, *, now: datetime) -> Secret:
        """Make a new secret; the one before it stays valid, older ones end."""
        secret = Secret.new(now=now)
        key = self._keys.webhook_secrets(tenant)
        with store_errors(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.lpush(key, json.dumps(asdict(secret)))
            pipeline.ltrim(key, 0, VALID_AT_A_TIME - 1)
            pipeline.execute()
        return secret
