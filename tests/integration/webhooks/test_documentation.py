"""The receiver in docs/webhooks.md, run as it stands there."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from deploy.demo.redis_server import free_port
from tests.integration.webhooks.dispatching import LOCAL, ROOT, wait_until
from worker.webhooks.delivery import Sender
from worker.webhooks.schedule import Outcome
from worker.webhooks.signing import Secret, signed_headers

pytestmark = pytest.mark.integration

BODY = '{"type":"explanation.succeeded","data":{"id":"exp_1"}}'


def test_the_receiver_of_the_documentation_takes_what_is_signed_and_nothing_else(
    tmp_path: Path,
) -> None:
    [program] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/webhooks.md").read_text(), re.S)
    now = datetime.now(UTC)
    secret, other = Secret.new(now=now), Secret.new(now=now)
    port = free_port()
    environment = {"LIMELIGHT_WEBHOOK_SECRET": secret.text, "PORT": str(port)}
    with (tmp_path / "log").open("wb") as log:
        receiver = subprocess.Popen(
            [sys.executable, "-u", "-c", program],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )
    sender = Sender(tls=ssl.create_default_context(), timeout_s=5, resolve=lambda host, _: [host])

    def send(by: Secret, at: datetime) -> Outcome:
        headers = signed_headers("msg_1", BODY, secrets=[by], at=at)
        return sender.send(
            f"http://127.0.0.1:{port}/", BODY.encode(), headers=headers, policy=LOCAL_ANY_PORT
        )

    try:
        wait_until(lambda: _listens(port))
        assert send(secret, now) == Outcome(status_code=204)
        assert send(other, now).status_code == 400
        assert send(secret, now - timedelta(minutes=10)).status_code == 400
    finally:
        receiver.terminate()
        receiver.wait()
    assert "msg_1 explanation.succeeded exp_1" in (tmp_path / "log").read_text()


LOCAL_ANY_PORT = LOCAL.allowing(["127.0.0.1"])


def _listens(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/")
    except httpx.ConnectError:
        return False
    return True
