from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from worker.webhooks.signing import Secret, signed_headers

# Of the scheme's published example.
KNOWN = Secret(id="whs_1", text="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", created_at=0.0)
BODY = '{"test": 2432232314}'


def test_the_signature_is_that_of_the_scheme_s_own_example() -> None:
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        BODY,
        secrets=[KNOWN],
        at=datetime.fromtimestamp(1614265330, UTC),
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_receiver_may_hold_any_of_the_valid_secrets() -> None:
    now = datetime.now(UTC)
    old, new, other = (Secret.new(now=now) for _ in range(3))
    headers = dict(signed_headers("msg_1", BODY, secrets=[new, old], at=now))
    for secret in (old, new):
        assert Webhook(secret.text).verify(BODY, headers) == {"test": 2432232314}
    with pytest.raises(WebhookVerificationError):
        Webhook(other.text).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new.text).verify(BODY + " ", headers)


def test_a_time_that_is_not_in_utc_is_refused() -> None:
    for zone in (None, timezone(timedelta(hours=2))):
        with pytest.raises(ValueError, match="UTC"):
            signed_headers("msg_1", BODY, secrets=[KNOWN], at=datetime(2026, 1, 1, tzinfo=zone))


def test_a_secret_has_256_bits_and_is_not_shown_by_accident() -> None:
    secret = Secret.new(now=datetime.now(UTC))
    assert len(base64.b64decode(secret.text.removeprefix("whsec_"), validate=True)) == 32
    assert secret.text not in repr(secret)
    assert secret.text != Secret.new(now=datetime.now(UTC)).text
