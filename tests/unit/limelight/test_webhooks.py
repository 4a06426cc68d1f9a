from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

import pytest

from limelight import BadSettings, WebhookRejected, verify_webhook

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER = "whsec_" + base64.b64encode(KEY[::-1]).decode()
BODY = json.dumps(
    {
        "type": "explanation.succeeded",
        "timestamp": "2026-01-02T03:04:05Z",
        "data": {"id": "exp_1", "status": "succeeded"},
    }
).encode()


def signed(body: bytes = BODY, *, key: bytes = KEY, at: float | None = None) -> dict[str, str]:
    """Headers as the specification has them, made without the library that reads them."""
    moment = str(int(time.time() if at is None else at))
    digest = hmac.digest(key, b"msg_1." + moment.encode() + b"." + body, hashlib.sha256)
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": moment,
        "Webhook-Signature": "v1," + base64.b64encode(digest).decode(),
    }


def test_a_signed_callback_is_read():
    event = verify_webhook(BODY, signed(), secret=SECRET)
    assert (event.id, event.type, event.job_id) == ("msg_1", "explanation.succeeded", "exp_1")
    assert event.timestamp.year == 2026


def test_either_secret_will_do_while_they_are_rotated():
    assert verify_webhook(BODY, signed(), secret=[OTHER, SECRET]).job_id == "exp_1"


def test_two_signatures_may_be_sent():
    headers = signed()
    headers["Webhook-Signature"] = f"v1,AAAA {headers['Webhook-Signature']}"
    assert verify_webhook(BODY, headers, secret=SECRET).job_id == "exp_1"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (BODY, signed(key=b"another key")),
        (BODY + b" ", signed()),
        (BODY, {**signed(), "Webhook-Id": "msg_2"}),
        (BODY, signed(at=time.time() - 3600)),
        (BODY, signed(at=time.time() + 3600)),
        (BODY, {}),
        (BODY, {**signed(), "Webhook-Signature": "nonsense"}),
        (BODY, {**signed(), "Webhook-Signature": "v1,not base64!"}),
        (BODY, {**signed(), "Webhook-Signature": "v1a,AAAA"}),
        (BODY, {**signed(), "Webhook-Timestamp": "noon"}),
        (b"\xff\xfe", signed(b"\xff\xfe")),
        (b"[]", signed(b"[]")),
        (b"{}", signed(b"{}")),
    ],
)
def test_anything_else_is_rejected(body, headers):
    with pytest.raises(WebhookRejected):
        verify_webhook(body, headers, secret=SECRET)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_\u00e9", [], [SECRET, "whsec_a"]])
def test_what_is_no_secret_is_said(secret):
    with pytest.raises(BadSettings):
        verify_webhook(BODY, signed(), secret=secret)
