"""A real worker: its own process, its pool, its steward; Redis and a model server beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import psutil
import pytest
import redis

from tests.support.quadrant_server import NAME, QuadrantServer
from tests.unit.fakes import photograph
from worker.jobs.blobs import Blobs, open_blobs
from worker.jobs.catalogue import Catalogue
from worker.jobs.connection import connect
from worker.jobs.job import Job, artifact_key, upload_key
from worker.jobs.queue import Queue, celery_app
from worker.jobs.settings import StoreSettings
from worker.jobs.store import Store

ROOT = Path(__file__).resolve().parents[3]
START_S = 60.0  # It takes two or three; a machine that does much else must not fail the tests.


@dataclass(frozen=True)
class Service:
    """What web and worker share, seen from the web's side."""

    redis_url: str
    redis: redis.Redis
    store: Store
    blobs: Blobs
    queue: Queue
    catalogue: Catalogue

    def submit(self, job: Job, image: bytes | None = None) -> Job:
        """Accept a job as the web process does, and publish it."""
        data = photograph() if image is None else image
        self.blobs.put(upload_key(job.ref), data)
        created = self.store.create(
            ref=job.ref,
            queue=job.queue,
            request=job.request,
            image=replace(job.image, sha256=sha256(data).hexdigest()),
            deadline_s=300,
            retention_s=3600,
        )
        self.queue.publish(job.ref, job.queue)
        self.store.mark_published(job.ref)
        return created

    def ended(self, job: Job, *, timeout_s: float = 30) -> Job:
        """Wait for a job's end."""
        wait_until(lambda: self.store.get(job.ref).is_terminal, timeout_s=timeout_s)
        return self.store.get(job.ref)

    def explained(self, job: Job, image: bytes | None = None, *, timeout_s: float = 30) -> Job:
        """Submit a job and wait until it has succeeded."""
        ended = self.ended(self.submit(job, image), timeout_s=timeout_s)
        assert ended.status == "succeeded", ended.error
        return ended

    def artifact(self, job: Job, name: str) -> bytes:
        assert job.result is not None
        return self.blobs.get(artifact_key(job.maker, job.result["fence"], name))


@dataclass(frozen=True)
class WorkerProcess:
    """A running ``limelight-worker``."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def children(self) -> list[psutil.Process]:
        """The pool's processes, the steward not among them."""
        return [one for one in self._offspring() if "steward" not in one.cmdline()]

    @property
    def steward(self) -> psutil.Process:
        return next(one for one in self._offspring() if "steward" in one.cmdline())

    def stop(self, *, timeout_s: float) -> int:
        """Ask it to end, as a deployment does; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=timeout_s)

    def _offspring(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()


@pytest.fixture(scope="session")
def quadrant_server() -> Iterator[QuadrantServer]:
    with QuadrantServer() as server:
        yield server


@pytest.fixture
def model_server(quadrant_server: QuadrantServer) -> Iterator[QuadrantServer]:
    quadrant_server.reset()
    yield quadrant_server
    quadrant_server.reset()


@pytest.fixture
def service(redis_url: str) -> Iterator[Service]:
    with serving_redis(redis_url) as service:
        yield service


@contextmanager
def serving_redis(redis_url: str) -> Iterator[Service]:
    """What web and worker share in this Redis."""
    settings = StoreSettings(redis_url=redis_url)
    celery = celery_app(settings)
    with connect(settings) as client:
        yield Service(
            redis_url=redis_url,
            redis=client,
            store=Store(client),
            blobs=open_blobs("redis:", client),
            queue=Queue(celery),
            catalogue=Catalogue(client),
        )
    celery.close()


StartWorker = Callable[..., WorkerProcess]


@pytest.fixture
def start_worker(service: Service, start_worker_at: StartWorker) -> StartWorker:
    """Start workers in the session's Redis, and wait until they know the model."""

    def start(*, model: str = NAME, wait: bool = True, **settings: str) -> WorkerProcess:
        worker = start_worker_at(service.redis_url, **settings)
        if wait:
            with told_from(worker):
                wait_until(lambda: knows_model(service, worker, model), timeout_s=START_S)
        return worker

    return start


@pytest.fixture
def start_worker_at(model_server: QuadrantServer, tmp_path: Path) -> Iterator[StartWorker]:
    """Start workers; those that still run at the end of the test are stopped."""
    started: list[WorkerProcess] = []
    models_file = tmp_path / "models.toml"
    models_file.write_text(model_server.profile())

    def start(redis_url: str, *, name: str = "a", **settings: str) -> WorkerProcess:
        log = tmp_path / f"worker-{name}.log"
        environment = worker_environment(
            {
                "LIMELIGHT_REDIS_URL": redis_url,
                "LIMELIGHT_MODELS_FILE": str(models_file),
                "LIMELIGHT_CONCURRENCY": "1",
                "LIMELIGHT_WORKER_NAME": name,
                **settings,
            }
        )
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "worker.app"],
                cwd=ROOT,
                env=environment,
                # Celery says a few words to a person there; the log is on standard error.
                stdout=subprocess.DEVNULL,
                stderr=output,
            )
        worker = WorkerProcess(process, log)
        started.append(worker)
        return worker

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.process.terminate()
    for worker in started:
        try:
            worker.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
            raise


def worker_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Our own environment without settings that a developer may have."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LIMELIGHT_")}
    return {**kept, **settings}


def knows_model(service: Service, worker: WorkerProcess, model: str) -> bool:
    assert worker.process.poll() is None, "the worker ended"
    entry = service.catalogue.models().get(model)
    return entry is not None and "ready." in worker.log.read_text()


def wait_for_calls(server: QuadrantServer, *, calls: int = 5) -> None:
    """Wait until a job is well into its calls; those of the steward were made before."""
    before = server.predicted
    wait_until(lambda: server.predicted >= before + calls, timeout_s=30)


@contextmanager
def told_from(worker: WorkerProcess) -> Iterator[None]:
    """Show the worker's log with whatever goes wrong in the block."""
    try:
        yield
    except AssertionError as error:
        error.add_note(worker.log.read_text()[-4000:])
        raise


def wait_until(condition: Callable[[], bool], *, timeout_s: float = 15.0) -> None:
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up, f"not within {timeout_s} s"
        time.sleep(0.01)
