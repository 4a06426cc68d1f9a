"""The service as it is shipped, over a model server that answers at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import redis

from deploy.demo.redis_server import PrivateRedis
from tests.faults.ledger import Ledger
from tests.support import pictures
from tests.support.quadrant_server import NAME, QuadrantServer
from tests.support.web_process import ROOT, running
from worker.jobs.keys import Keys

# Small, so that a loop of kills is over soon; the promises are stated in leases.
LEASE_S = 4.0
START_S = 40.0
PREFIX = "limelight"
TERMINAL = frozenset({"succeeded", "failed", "canceled", "expired"})
SMALL = {
    "options.segmentation.method": "grid",
    "options.segmentation.rows": "4",
    "options.segmentation.columns": "4",
    "options.samples": "18",
    "options.stopping": "fixed",
    "overlays": "signed",
}


def wait_until(holds: Callable[[], bool], *, timeout_s: float, what: str) -> float:
    """Wait for something; return the seconds that it took.

    Raises
    ------
    TimeoutError
        Naming what did not come.
    """
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > timeout_s:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s")
        time.sleep(0.02)
    return time.monotonic() - began


@dataclass
class WorkerGroup:
    """A ``limelight-worker`` in a session of its own: its parent, its children, its steward."""

    process: subprocess.Popen[bytes]
    log: Path

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all of them at once, as the end of a container does."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """End all of them at once."""
        self.send(signal.SIGKILL)
        self.process.wait(timeout=10)

    def is_ready(self) -> bool:
        """Whether Celery takes messages."""
        return "ready." in self.log.read_text(errors="replace")


@dataclass
class Stack:
    """Redis, model server and web; workers are started by the experiment."""

    directory: Path
    redis_server: PrivateRedis
    model_server: QuadrantServer
    ledger: Ledger
    url: str = ""
    workers: list[WorkerGroup] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)

    def start_worker(self, *, concurrency: int = 2, wait: bool = True) -> WorkerGroup:
        """Start a worker."""
        log = self.directory / f"worker-{len(self.workers)}.log"
        settings = {
            "LIMELIGHT_REDIS_URL": self.redis_server.url,
            "LIMELIGHT_MODELS_FILE": str(self.models_file),
            "LIMELIGHT_CONCURRENCY": str(concurrency),
            "LIMELIGHT_WORKER_NAME": f"w{len(self.workers)}",
            "LIMELIGHT_LEASE_S": str(LEASE_S),
            "LIMELIGHT_REUSE_RESULTS": "false",
        }
        inherited = {name: value for name, value in os.environ.items() if "LIMELIGHT" not in name}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "worker.app"],
                cwd=ROOT,
                env={**inherited, **settings},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        group = WorkerGroup(process, log)
        self.workers.append(group)
        if wait:
            wait_until(group.is_ready, timeout_s=START_S, what="a worker is ready")
            wait_until(self._knows_model, timeout_s=START_S, what="the model is known")
        return group

    @property
    def models_file(self) -> Path:
        """Profiles of the one model, and of one whose server can be taken away."""
        return self.directory / "models.toml"

    def _knows_model(self) -> bool:
        shown = httpx.get(f"{self.url}/v1/models", trust_env=False, timeout=10).json()
        return any(one["state"] == "available" for one in shown["models"])

    def post(self, client: httpx.Client, **form: str) -> str | None:
        """Post a small job; its id if it was accepted. What was refused is counted by status."""
        files = {"image": ("photo.png", self._image(), "image/png")}
        try:
            answer = client.post(f"{self.url}/v1/explanations", files=files, data={**SMALL, **form})
        except httpx.TransportError:
            # No answer is no promise: if there is a job, nobody was told of it.
            self.refused.append(0)
            return None
        if answer.status_code != httpx.codes.ACCEPTED:
            self.refused.append(answer.status_code)
            return None
        job_id = str(answer.json()["id"])
        self.ledger.accept(job_id)
        return job_id

    def job(self, client: httpx.Client, job_id: str) -> dict[str, object]:
        """Poll a job; wait while the service is away for a moment."""
        for _ in range(100):
            try:
                answer = client.get(f"{self.url}/v1/explanations/{job_id}")
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.is_success:
                shown: dict[str, object] = answer.json()
                return shown
            if answer is not None and answer.status_code in (404, 410):
                return {"status": "lost"}
            time.sleep(0.1)
        return {"status": "unreachable"}

    def settle(self, client: httpx.Client, *, timeout_s: float) -> float:
        """Poll until every accepted job has ended, or the time is up; return the seconds."""
        began = time.monotonic()
        while (left := self.ledger.open()) and time.monotonic() - began < timeout_s:
            for job_id in left:
                status = str(self.job(client, job_id)["status"])
                if status in TERMINAL or status == "lost":
                    self.ledger.end(job_id, status)
            time.sleep(0.1)
        return time.monotonic() - began

    def ended_twice(self) -> int:
        """Jobs whose event stream tells of more than one end."""
        with redis.Redis.from_url(self.redis_server.url) as client:
            keys = client.scan_iter(match=f"{PREFIX}:*:events:*", count=1000)
            streams = [client.xrange(key) for key in keys]
        ends = [sum(entry[b"type"].decode() in TERMINAL for _, entry in one) for one in streams]
        return sum(count > 1 for count in ends)

    def waiting(self) -> int:
        """Jobs that are queued."""
        with redis.Redis.from_url(self.redis_server.url) as client:
            return int(client.zcard(Keys(PREFIX).waiting("interactive")))

    def _image(self) -> bytes:
        return pictures.png()


@contextmanager
def running_stack(**web_settings: str) -> Iterator[Stack]:
    """Run all but the workers until the block ends; then end everything by pid."""
    with tempfile.TemporaryDirectory(prefix="limelight-faults-") as name, ExitStack() as cleanup:
        directory = Path(name)
        store = cleanup.enter_context(PrivateRedis(directory / "redis", appendonly=True))
        server = cleanup.enter_context(QuadrantServer())
        ledger = Ledger(directory / "ledger.sqlite")
        cleanup.callback(ledger.close)
        stack = Stack(directory, store, server, ledger)
        stack.models_file.write_text(server.profile())
        stack.url = cleanup.enter_context(
            running(store.url, directory / "web.log", default_model=NAME, **web_settings)
        )
        try:
            yield stack
        finally:
            server.release()
            for worker in stack.workers:
                worker.send(signal.SIGCONT)
                worker.kill()


@contextmanager
def load(stack: Stack, *, threads: int, pause_s: float, most: int) -> Iterator[None]:
    """Post small jobs from several threads until the block ends or ``most`` were accepted."""
    stop = threading.Event()
    accepted = threading.Semaphore(most)

    def post_on() -> None:
        with httpx.Client(timeout=10, trust_env=False) as client:
            while not stop.wait(pause_s) and accepted.acquire(blocking=False):
                if stack.post(client) is None:
                    accepted.release()

    posting = [threading.Thread(target=post_on, daemon=True) for _ in range(threads)]
    for thread in posting:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in posting:
            thread.join(timeout=15)
