"""The service as it is shipped, over a model server that does what an experiment tells it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import redis

from deploy.demo.redis_server import LOOPBACK, PrivateRedis
from tests.faults.ledger import Ledger
from tests.faults.workers import WorkerGroup
from tests.support import pictures
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.quadrant_server import NAME, QuadrantServer
from tests.support.web_process import running
from worker.jobs.job import JobRef
from worker.jobs.keys import QUEUES, Keys

# Small, so that a loop of kills is over soon; the promises are stated in leases.
LEASE_S = 4.0
START_S = 60.0
# Of each log, with what goes wrong.
LOG_SHOWN = 4000
KEYS = Keys("limelight")
TERMINAL = frozenset({"succeeded", "failed", "canceled", "expired"})
SMALL = {
    "options.segmentation.method": "grid",
    "options.segmentation.rows": "4",
    "options.segmentation.columns": "4",
    # The fewest that a grid of 16 segments allows.
    "options.samples": "18",
    "options.stopping": "fixed",
    "overlays": "signed",
}
# A job of some hundred calls, to be met in the middle.
LONG = {"options.samples": "1000"}


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
class Stack:
    """Redis, a proxy before it, model server and web; the experiment starts the workers.

    Attributes
    ----------
    client : httpx.Client
        Of the experiment's own thread.
    refused : list of int
        Status of each POST that was not accepted; 0 where no answer came.
    """

    directory: Path
    redis_server: PrivateRedis
    proxy: FaultProxy
    model_server: QuadrantServer
    ledger: Ledger
    client: httpx.Client
    common: Mapping[str, str]
    url: str = ""
    workers: list[WorkerGroup] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)

    @property
    def redis_url(self) -> str:
        """Where the service finds Redis: behind the proxy."""
        return f"redis://{LOOPBACK}:{self.proxy.port}/0"

    def redis(self) -> redis.Redis:
        """Return a connection of the experiment's own to Redis."""
        return redis.Redis.from_url(self.redis_server.url)

    def start_worker(
        self, *, concurrency: int = 2, wait: bool = True, **settings: str
    ) -> WorkerGroup:
        """Start a worker."""
        name = f"w{len(self.workers)}"
        own = {f"LIMELIGHT_{key.upper()}": value for key, value in settings.items()}
        group = WorkerGroup.start(
            self.directory / f"worker-{name}.log",
            {
                "LIMELIGHT_REDIS_URL": self.redis_url,
                "LIMELIGHT_MODELS_FILE": str(self.directory / "models.toml"),
                "LIMELIGHT_CONCURRENCY": str(concurrency),
                "LIMELIGHT_WORKER_NAME": name,
                "LIMELIGHT_REUSE_RESULTS": "false",
                **self.common,
                **own,
            },
        )
        self.workers.append(group)
        if wait:
            wait_until(group.is_ready, timeout_s=START_S, what="a worker is ready")
            wait_until(self.knows_model, timeout_s=START_S, what="the model is known")
        return group

    def knows_model(self) -> bool:
        """Whether web would accept a job."""
        answer = self.client.get(f"{self.url}/v1/models")
        return answer.is_success and any(
            one["state"] == "available" for one in answer.json()["models"]
        )

    def post(self, client: httpx.Client | None = None, **form: str) -> str | None:
        """Post a small job; its id if it was accepted. What was refused is noted by status."""
        files = {"image": ("photo.png", pictures.png(), "image/png")}
        try:
            answer = (client or self.client).post(
                f"{self.url}/v1/explanations", files=files, data={**SMALL, **form}
            )
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

    def accepted(self, **form: str) -> str:
        """Post a job that has to be accepted."""
        job_id = self.post(**form)
        if job_id is None:
            raise TimeoutError(f"a job was refused with {self.refused[-1]}")
        return job_id

    def job(self, job_id: str) -> dict[str, object]:
        """Poll a job; wait while the service is away for a moment."""
        for _ in range(100):
            try:
                answer = self.client.get(f"{self.url}/v1/explanations/{job_id}")
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.is_success:
                shown: dict[str, object] = answer.json()
                return shown
            if answer is not None and answer.status_code in (404, 410):
                return {"status": "lost"}
            time.sleep(0.1)
        return {"status": "unreachable"}

    def wait_for(self, job_id: str, status: str, *, timeout_s: float = 60.0) -> float:
        """Wait until a job has this status; return the seconds."""
        return wait_until(
            lambda: self.job(job_id)["status"] == status,
            timeout_s=timeout_s,
            what=f"a job is {status}",
        )

    def settle(self, *, timeout_s: float) -> float:
        """Poll until every accepted job has ended, or the time is up; return the seconds."""
        began = time.monotonic()
        while (left := self.ledger.open()) and time.monotonic() - began < timeout_s:
            for job_id in left:
                shown = self.job(job_id)
                if shown["status"] in TERMINAL or shown["status"] == "lost":
                    attempts = shown.get("attempts", 0)
                    self.ledger.end(job_id, str(shown["status"]), attempts=int(str(attempts)))
            time.sleep(0.1)
        return time.monotonic() - began

    def waiting(self) -> int:
        """Jobs that are queued; 0 while Redis does not tell."""
        with self.redis() as client, suppress(redis.RedisError):
            return sum(int(client.zcard(KEYS.waiting(queue))) for queue in QUEUES)
        return 0

    def ended_twice(self) -> int:
        """Jobs whose event stream tells of more than one end."""
        with self.redis() as client:
            keys = client.scan_iter(match=f"{KEYS.prefix}:*:events:*", count=1000)
            streams = [client.xrange(key) for key in keys]
        ends = [sum(entry[b"type"].decode() in TERMINAL for _, entry in one) for one in streams]
        return sum(count > 1 for count in ends)

    def held_by(self, job_id: str) -> int | None:
        """Process id of the worker's child that has a job in hands."""
        with self.redis() as client:
            worker = client.hget(KEYS.job(JobRef("default", job_id)), "worker")
        return None if worker is None else int(worker.decode().rpartition("/")[2])


@contextmanager
def running_stack(common: Mapping[str, str] | None = None, **web: str) -> Iterator[Stack]:
    """Run all but the workers until the block ends; then end everything by pid.

    Parameters
    ----------
    common : mapping of str to str
        Environment of both web and workers.
    web : str
        Settings of web alone.
    """
    shared = {"LIMELIGHT_LEASE_S": str(LEASE_S), **(common or {})}
    with tempfile.TemporaryDirectory(prefix="limelight-faults-") as name, ExitStack() as cleanup:
        directory = Path(name)
        store = cleanup.enter_context(PrivateRedis(directory / "redis", appendonly=True))
        proxy = cleanup.enter_context(fault_proxy(store.port))
        server = cleanup.enter_context(QuadrantServer())
        ledger = Ledger(directory / "ledger.sqlite")
        cleanup.callback(ledger.close)
        client = cleanup.enter_context(httpx.Client(timeout=15, trust_env=False))
        stack = Stack(directory, store, proxy, server, ledger, client, shared)
        (directory / "models.toml").write_text(server.profile())
        both = {key.removeprefix("LIMELIGHT_").lower(): value for key, value in shared.items()}
        stack.url = cleanup.enter_context(
            running(stack.redis_url, directory / "web.log", default_model=NAME, **both, **web)
        )
        try:
            yield stack
        except BaseException as error:
            for log in sorted(directory.glob("*.log")):
                error.add_note(f"--- {log.name}\n{log.read_text(errors='replace')[-LOG_SHOWN:]}")
            raise
        finally:
            server.release()
            for worker in stack.workers:
                worker.kill()
