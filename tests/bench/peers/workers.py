"""Workers as they are shipped, behind the HTTP API, over a model server that runs already."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from deploy.demo.client import TERMINAL, Service, photographs
from deploy.demo.redis_server import LOOPBACK, PrivateRedis, free_port
from tests.support.scrape import scrape
from tests.support.web_process import ROOT, running
from worker.serving.profile import ModelProfile

_START_S: Final = 60.0
_JOB_S: Final = 900.0
_STOP_S: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Workers:
    """A running service.

    Attributes
    ----------
    url : str
        Of its front end.
    metrics_url : str
        Of the worker's metrics.
    parent : psutil.Process
        The worker's; the processes that explain are among its children.
    """

    url: str
    metrics_url: str
    parent: psutil.Process

    @property
    def processes(self) -> list[psutil.Process]:
        """All of the worker."""
        return [self.parent, *self.parent.children(recursive=True)]

    def images_scored(self) -> float:
        """Images that the model server has scored for all jobs so far."""
        return scrape(self.metrics_url).total("limelight_model_call_images_total")

    def submit(self, **form: str) -> str:
        """Post the cat with options; the path of the job."""
        answer = httpx.post(
            f"{self.url}/v1/explanations",
            files={"image": photographs()[0].file.read_bytes()},
            data=form,
            trust_env=False,
            timeout=30,
        )
        return str(answer.raise_for_status().headers["Location"])

    def ended(self, path: str, *, poll_s: float = 0.05) -> Mapping[str, Any]:
        """Wait for a job's end; it has to be a success."""
        until = time.monotonic() + _JOB_S
        while time.monotonic() < until:
            job: Mapping[str, Any] = httpx.get(self.url + path, trust_env=False, timeout=30).json()
            if job["status"] in TERMINAL:
                break
            time.sleep(poll_s)
        if job["status"] != "succeeded":
            raise RuntimeError(f"the job is {job['status']}: {job['error']}")
        return job


@contextmanager
def running_workers(profile: ModelProfile, *, processes: int) -> Iterator[Workers]:
    """Run Redis, web and a worker of some processes until the block ends."""
    with (
        tempfile.TemporaryDirectory(prefix="limelight-bench-") as name,
        PrivateRedis(Path(name) / "redis", appendonly=True) as store,
        running(store.url, Path(name) / "web.log", default_model=profile.name) as url,
    ):
        models_file = Path(name) / "models.toml"
        models_file.write_text(
            f"[models.{profile.name}]\n"
            f'address = "{profile.address}"\npreprocess = "{profile.preprocess}"\n'
            f"polite = {json.dumps(profile.polite)}\n"
        )
        metrics_bind = f"{LOOPBACK}:{free_port()}"
        settings = {
            "LIMELIGHT_REDIS_URL": store.url,
            "LIMELIGHT_MODELS_FILE": str(models_file),
            "LIMELIGHT_CONCURRENCY": str(processes),
            "LIMELIGHT_WORKER_METRICS_BIND": metrics_bind,
            "LIMELIGHT_SOFT_SHUTDOWN_S": "1",
            "LIMELIGHT_GRACE_S": "1",
        }
        inherited = {key: value for key, value in os.environ.items() if "LIMELIGHT" not in key}
        with (
            (Path(name) / "worker.log").open("wb") as log,
            subprocess.Popen(
                [sys.executable, "-m", "worker.app"],
                cwd=ROOT, env={**inherited, **settings}, stdout=log, stderr=log,
            ) as worker,
        ):  # fmt: skip
            try:
                _wait_until_known(url, profile.name)
                yield Workers(
                    url=url,
                    metrics_url=f"http://{metrics_bind}",
                    parent=psutil.Process(worker.pid),
                )
            finally:
                worker.terminate()
                worker.wait(timeout=_STOP_S)


def _wait_until_known(url: str, model: str) -> None:
    until = time.monotonic() + _START_S
    with Service(url) as service:
        while not service.has_model(model):
            if time.monotonic() > until:
                raise TimeoutError(f"no worker knows {model} within {_START_S:g} s")
            time.sleep(0.1)
