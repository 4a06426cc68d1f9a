"""A webhook from the request to the receiver and back to the log, on the whole service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import skimage
from standardwebhooks import Webhook

from limelight import Client, Delivery, verify_webhook
from tests.support.receiver import Receiver
from tests.system.conftest import ROOT, Serving

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

CAT = Path(skimage.__file__).parent / "data" / "chelsea.png"
FEW: dict[str, Any] = {"options": {"samples": 64}, "overlays": ["signed"]}


def limelight(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "limelight.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def settled(client: Client, job_id: str) -> Delivery:
    """Wait until the receiver's answer is in the log, which is after the receiver gave it."""
    until = time.monotonic() + 20
    while (delivery := client.deliveries(job_id).deliveries[-1]).state == "pending":
        assert time.monotonic() < until, delivery
        time.sleep(0.05)
    return delivery


def test_an_event_comes_signed_with_the_tenants_secret_and_once_more_under_the_same_id(
    serving: Serving,
) -> None:
    secret = limelight(
        "webhooks", "secret", "rotate", LIMELIGHT_REDIS_URL=serving.redis_url
    ).strip()
    with Receiver() as receiver, Client(serving.url) as client:
        webhook = {"url": receiver.url(), "events": ["explanation.succeeded"]}
        job = client.explain(CAT, webhook=webhook, timeout_s=120, **FEW)
        receiver.wait_for(1, timeout_s=30)
        first = receiver.requests[0]
        Webhook(secret).verify(first.body, first.headers)
        event = verify_webhook(first.body, first.headers, secret=secret)
        assert (event.type, event.job_id) == ("explanation.succeeded", job.id)
        told = settled(client, job.id)
        assert (told.id, told.state) == (event.id, "delivered")
        assert [attempt.status_code for attempt in told.attempts] == [204]

        line = limelight("webhooks", "redeliver", job.id, "--json", "--url", serving.url)
        assert json.loads(line)["deliveries"][0]["state"] == "pending"
        again = receiver.wait_for(2, timeout_s=30)[1]
        Webhook(secret).verify(again.body, again.headers)
        assert again.headers["webhook-id"] == first.headers["webhook-id"]
        assert again.body == first.body
        assert len(settled(client, job.id).attempts) == 2
    assert "delivered" in limelight("webhooks", "log", job.id, "--url", serving.url)
