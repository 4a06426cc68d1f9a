"""What real processes log: JSON that names job and trace, and never a secret or an image."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis

from deploy.demo.redis_server import LOOPBACK, PrivateRedis, free_port
from tests.integration.worker.conftest import ROOT, wait_until, worker_environment
from tests.support import pictures
from tests.support.private_redis import private_redis
from tests.support.quadrant_server import NAME, QuadrantServer
from tests.support.receiver import Receiver, status
from web.keys import KeyStore
from web.principal import scopes_of
from worker.jobs.connection import connect
from worker.jobs.settings import StoreSettings
from worker.webhooks.signing import SecretStore

pytestmark = pytest.mark.integration

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
# In its bytes, where a decoder's message might show it.
IMAGE_CANARY = "canary-in-the-image"
SECRETS = {
    "redis": "canary-redis-p@ss",
    "session": "canary-session-secret-of-32-characters",
    "serving": "canary-serving-token",
    "hook": "canary-hook-token",
}
SMALL = {
    "options.segmentation.method": "grid",
    "options.segmentation.rows": "4",
    "options.segmentation.columns": "4",
    "options.samples": "18",
}


class Processes:
    """Web, worker and webhooks, and all that they say on either output."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self._directory = directory
        self._environment = environment
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    @contextmanager
    def start(self, module: str) -> Iterator[None]:
        said, log = (self._directory / f"{module}.{kind}" for kind in ("said", "log"))
        with said.open("ab") as output, log.open("ab") as errors:
            self.running[module] = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=ROOT,
                env=self._environment,
                stdout=output,
                stderr=errors,
            )
        try:
            yield
        finally:
            self.running[module].terminate()
            self.running[module].wait(timeout=30)

    def lines(self, module: str) -> list[dict[str, Any]]:
        """The log; every line of it is JSON."""
        log = (self._directory / f"{module}.log").read_text()
        return [json.loads(line) for line in log.splitlines()]

    def everything(self) -> str:
        """All that was said on either output."""
        paths = [*self._directory.glob("*.said"), *self._directory.glob("*.log")]
        return "\n".join(path.read_text(errors="replace") for path in paths)


MODULES = ("web.main", "worker.app", "worker.webhooks.main")


class Stack:
    """The service with secrets of every kind in its settings."""

    def __init__(
        self, url: str, key: str, hook_secret: str, receiver: Receiver, processes: Processes
    ) -> None:
        self.url, self.key, self.hook_secret = url, key, hook_secret
        self.receiver, self.processes = receiver, processes

    def post(self, path: str = "/v1/explanations", **sent: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}", "traceparent": TRACEPARENT}
        headers |= sent.pop("headers", {})
        return httpx.post(f"{self.url}{path}", headers=headers, trust_env=False, timeout=60, **sent)

    def submit(self, **fields: str) -> str:
        hook = {"webhook.url": f"{self.receiver.url('/')}?token={SECRETS['hook']}"}
        answer = self.post(data={**SMALL, **hook, **fields}, files={"image": pictures.png()})
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def status(self, job: str) -> str:
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = httpx.get(
            f"{self.url}/v1/explanations/{job}", headers=headers, trust_env=False, timeout=60
        )
        return answer.json()["status"] if answer.is_success else ""


@contextmanager
def started(
    directory: Path, server: PrivateRedis, receiver: Receiver, profile: str
) -> Iterator[Stack]:
    port = free_port()
    models = directory / "models.toml"
    models.write_text(f'{profile}\nmetadata = {{ authorization = "env:SERVING_TOKEN" }}\n')
    url = f"redis://:canary-redis-p%40ss@{LOOPBACK}:{server.port}/0"
    environment = worker_environment(
        {
            "LIMELIGHT_REDIS_URL": url,
            "LIMELIGHT_MODELS_FILE": str(models),
            "LIMELIGHT_BIND": f"{LOOPBACK}:{port}",
            "LIMELIGHT_SECRET_KEY": SECRETS["session"],
            "LIMELIGHT_CONCURRENCY": "1",
            "LIMELIGHT_LEASE_S": "1",
            "LIMELIGHT_WEBHOOK_ALLOW_HTTP": "true",
            "LIMELIGHT_WEBHOOK_ALLOWED_HOSTS": LOOPBACK,
            "SERVING_TOKEN": SECRETS["serving"],
        }
    )
    with connect(StoreSettings(redis_url=url)) as client:
        scopes = scopes_of(["submit", "read"])
        key, _ = KeyStore(client).create(tenant="acme", scopes=scopes, expires_in_s=None)
        hook = SecretStore(client).rotate("acme", now=datetime.now(UTC))
    processes = Processes(directory, environment)
    with ExitStack() as stack:
        for module in MODULES:
            stack.enter_context(processes.start(module))
        wait_until(lambda: ready(f"http://{LOOPBACK}:{port}"), timeout_s=120)
        yield Stack(f"http://{LOOPBACK}:{port}", key, hook.text, receiver, processes)


def ready(url: str) -> bool:
    try:
        return bool(
            httpx.get(f"{url}/v2/health/ready", trust_env=False, timeout=60).json().get("workers")
        )
    except httpx.TransportError:
        return False


@pytest.fixture
def stack(tmp_path: Path, model_server: QuadrantServer) -> Iterator[Stack]:
    with ExitStack() as stack:
        server = stack.enter_context(private_redis(tmp_path / "redis", appendonly=True))
        with redis.Redis.from_url(server.url) as admin:
            admin.config_set("requirepass", SECRETS["redis"])
        receiver = stack.enter_context(Receiver())
        yield stack.enter_context(started(tmp_path, server, receiver, model_server.profile()))


def test_a_job_is_followed_by_its_trace_through_all_processes(stack: Stack) -> None:
    job = stack.submit()
    wait_until(lambda: stack.status(job) == "succeeded", timeout_s=30)
    stack.receiver.wait_for(2)
    wait_until(lambda: len(told_of(stack, "worker.webhooks.main", job)) == 2)
    for module in MODULES:
        lines = told_of(stack, module, job)
        assert lines, module
        for line in lines:
            named = {name: line.get(name) for name in ("tenant", "model", "trace_id")}
            assert named == {"tenant": "acme", "model": NAME, "trace_id": TRACE_ID}, line
    assert {"job claimed", "job left"} <= {
        line["event"] for line in told_of(stack, "worker.app", job)
    }


def told_of(stack: Stack, module: str, job: str) -> list[dict[str, Any]]:
    return [line for line in stack.processes.lines(module) if line.get("job") == job]


def test_no_secret_key_or_image_is_logged_whatever_goes_wrong(
    stack: Stack, model_server: QuadrantServer
) -> None:
    whole = stack.submit()
    wait_until(lambda: stack.status(whole) == "succeeded", timeout_s=30)
    for send in BAD:
        assert send(stack).status_code in (202, 400, 401, 413, 415, 422)
    # A child is killed at work, the model server fails, the receiver does.
    stack.receiver.behaviour = status(500)
    model_server.delay_s = 0.05
    killed = stack.submit(**{"options.samples": "900", "options.stopping": "fixed"})
    wait_until(lambda: stack.status(killed) == "processing")
    worker = psutil.Process(stack.processes.running["worker.app"].pid)
    for child in worker.children():
        child.send_signal(signal.SIGKILL)
    model_server.delay_s = 0.0
    wait_until(lambda: stack.status(killed) == "succeeded", timeout_s=60)
    model_server.version = 7
    stack.submit(version="1")
    stack.receiver.wait_for(4)
    for module in MODULES:
        stack.processes.running[module].terminate()
        stack.processes.running[module].wait(timeout=30)

    everything = stack.processes.everything()
    image = pictures.png()
    canaries = [
        *SECRETS.values(),
        "canary-redis-p%40ss",
        stack.key,
        stack.key.rpartition("_")[2],
        stack.hook_secret,
        IMAGE_CANARY,
        base64.b64encode(image)[64:96].decode(),
        repr(image[64:80])[2:-1],
    ]
    assert [one for one in canaries if one in everything] == []
    for module in MODULES:
        assert stack.processes.lines(module)


def broken_image() -> bytes:
    """A PNG whose data is text."""
    return pictures.announcing(64, 64) + IMAGE_CANARY.encode() * 50


BAD: list[Callable[[Stack], httpx.Response]] = [
    lambda stack: stack.post(files={"image": broken_image()}),
    lambda stack: stack.post(files={"image": IMAGE_CANARY.encode()}),
    lambda stack: stack.post(content=b"--x\r\n" + IMAGE_CANARY.encode(), headers=MULTIPART),
    lambda stack: stack.post(json={"image": {"base64": base64.b64encode(broken_image()).decode()}}),
    lambda stack: stack.post(json={"image": {"base64": IMAGE_CANARY}}),
    lambda stack: stack.post(json={"image": IMAGE_CANARY, "model": IMAGE_CANARY}),
    lambda stack: stack.post(files={"image": pictures.png()}, data={"model": IMAGE_CANARY}),
    lambda stack: stack.post(headers={"Authorization": f"Bearer {SECRETS['session']}"}),
    lambda stack: stack.post(headers={"Authorization": f"Basic {stack.key}"}),
    lambda stack: stack.post(
        files={"image": pictures.png()}, data={"webhook.url": f"ftp://h/?token={SECRETS['hook']}"}
    ),
]
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}
