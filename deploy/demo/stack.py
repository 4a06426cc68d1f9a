"""The embedded stack: private Redis, model server, worker, webhooks and web, on loopback.

With profiles of somebody's own models it starts no model server, and explains those instead.
Every server gets a free port and a directory of its own, so several stacks run side by side.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.demo.build_models import DEFAULT_DIRECTORY, MODEL_NAME
from deploy.demo.client import Service, fill_samples
from deploy.demo.processes import Guard, Processes, StackError
from deploy.demo.redis_server import (
    LOOPBACK,
    PrivateRedis,
    RedisServerError,
    find_redis_server,
    free_port,
)
from deploy.demo.signals import StopSignals

ROOT = Path(__file__).resolve().parents[2]
MODELS = DEFAULT_DIRECTORY
MODEL = MODEL_NAME
# Larger calls are no faster on a processor, and hold up everybody else for longer.
MAX_BATCH_SIZE = 16

BUILD_TIMEOUT_S = 600.0
MODEL_SERVER_TIMEOUT_S = 120.0
CHECK_TIMEOUT_S = 60.0
START_TIMEOUT_S = 60.0

Say = Callable[[str], None]


class Programs(Protocol):
    """What runs a program to its end. See ``Processes``."""

    def run(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        timeout_s: float,
        accepted: Collection[int],
    ) -> str:
        """Return what it wrote."""


@dataclass(frozen=True)
class Stack:
    """A stack that runs.

    Attributes
    ----------
    address : str
        Base URL of the web process.
    redis : PrivateRedis
    processes : Processes
        The other servers.
    metrics : tuple of str
        Where web, worker and webhooks tell Prometheus what they do.
    """

    address: str
    redis: PrivateRedis
    processes: Processes
    metrics: tuple[str, ...] = ()

    def check(self) -> None:
        """See that all servers run.

        Raises
        ------
        StackError
            If one has ended: which, and what it said last.
        """
        if not self.redis.is_running():
            raise StackError(
                f"The private Redis ended unexpectedly. Its log is {self.redis.log_path}"
            )
        self.processes.check()


@contextmanager
def running_stack(
    *, port: int | None, signals: StopSignals, say: Say, profiles: Path | None = None
) -> Iterator[Stack]:
    """Start everything, and end everything when the block ends.

    Parameters
    ----------
    port : int or None
        Port of the web process on loopback; None takes a free one.
    signals : StopSignals
    say : callable
        Told what is being done, a line each.
    profiles : Path or None
        The models file of somebody whose model server runs already; None starts the demo's.

    Raises
    ------
    StackError
        If something does not start or dies. Then the directory with the logs is kept.
    """
    web_port = free_port() if port is None else _require_free(port)
    _require_redis()
    directory = Path(tempfile.mkdtemp(prefix="limelight-demo-"))
    try:
        with ExitStack() as cleanup:
            yield _start_all(directory, web_port, profiles, cleanup, signals=signals, say=say)
    except Exception:
        # Whoever reads the error wants the logs that it names.
        raise
    except BaseException:
        shutil.rmtree(directory)
        raise
    shutil.rmtree(directory)


def _start_all(
    directory: Path,
    web_port: int,
    profiles: Path | None,
    cleanup: ExitStack,
    *,
    signals: StopSignals,
    say: Say,
) -> Stack:
    # Entered first, left last: the guard outlives Redis, and Redis those who talk to it.
    guard = cleanup.enter_context(Guard(directory))
    redis = PrivateRedis(directory / "redis", appendonly=True)
    with signals.held():
        cleanup.enter_context(redis)
        guard.watch(redis.pid)
    processes = cleanup.enter_context(Processes(directory, ROOT, guard=guard, signals=signals))
    if profiles is None:
        _build_models(processes, say)
        say("Starting the model server, the worker and the web process ...")
        profiles = _write_profiles(directory, _start_model_server(processes))
        models = [MODEL]
    else:
        say("Trying the models with their servers ...")
        models = check_models(profiles, processes, say)
        say("Starting the worker and the web process ...")
    fill_samples(samples := directory / "samples")
    environment = _environment(
        {
            "LIMELIGHT_REDIS_URL": redis.url,
            "LIMELIGHT_MODELS_FILE": str(profiles),
            "LIMELIGHT_DEFAULT_MODEL": models[0],
            "LIMELIGHT_SAMPLES_DIR": str(samples),
            "LIMELIGHT_BIND": f"{LOOPBACK}:{web_port}",
            # Here the receiver of webhooks is a program on this machine too.
            "LIMELIGHT_WEBHOOK_ALLOW_HTTP": "true",
            "LIMELIGHT_WEBHOOK_ALLOWED_HOSTS": f"{LOOPBACK},localhost",
            # What a private stack has in hand when it ends is of no use to anybody.
            "LIMELIGHT_SOFT_SHUTDOWN_S": "1",
            "LIMELIGHT_GRACE_S": "1",
        }
    )
    metrics = {name: f"{LOOPBACK}:{free_port()}" for name in ("web", "worker", "webhook")}
    environment |= {f"LIMELIGHT_{name.upper()}_METRICS_BIND": at for name, at in metrics.items()}
    address = f"http://{LOOPBACK}:{web_port}"
    _start_service(processes, environment, address, models)
    return Stack(
        address, redis, processes, tuple(f"http://{at}/metrics" for at in metrics.values())
    )


def _start_model_server(processes: Processes) -> int:
    """Start the model server on a port that it chooses; that port, once the model is loaded."""
    server = processes.start(
        "model server",
        [
            sys.executable, "-m", "deploy.demo.model_server",
            "--port", "0",
            "--model", f"{MODEL}={MODELS / MODEL}",
            "--max-batch-size", str(MAX_BATCH_SIZE),
            "--labels", f"{MODEL}:stable=1",
        ],
        environment=_environment({}),
    )  # fmt: skip
    processes.wait_until(
        server, lambda: _announced_port(server.log) is not None, timeout_s=MODEL_SERVER_TIMEOUT_S
    )
    port = _announced_port(server.log)
    if port is None:
        raise StackError(f"The model server did not say its port. {server.last_lines()}")
    return port


def _announced_port(log: Path) -> int | None:
    """Find the line in which the model server says that it is ready, and on which port."""
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith('{"ready": true') and line.endswith("}"):
            return int(json.loads(line)["port"])
    return None


def check_models(profiles: Path, processes: Programs, say: Say) -> list[str]:
    """Try the profiles, and say what the check says of those that do not work; return the others.

    Raises
    ------
    StackError
        If none works.
    """
    told = processes.run(
        "check of the models",
        [sys.executable, "-m", "worker.app", "check"],
        environment=_environment({"LIMELIGHT_MODELS_FILE": str(profiles)}),
        timeout_s=CHECK_TIMEOUT_S,
        accepted=(0, os.EX_CONFIG),
    )
    working = re.findall(r"^(\S+) at .*: ok$", told, re.MULTILINE)
    if not working:
        raise StackError(f"No model can be explained.\n{told.rstrip()}")
    for about in re.findall(r"^\S+ at .*: cannot be explained$(?:\n  .*)*", told, re.MULTILINE):
        say(about)
    return working


def _start_service(
    processes: Processes, environment: Mapping[str, str], address: str, models: Sequence[str]
) -> None:
    worker, web, _ = (
        processes.start(name, [sys.executable, "-m", module], environment=environment)
        for name, module in (
            ("worker", "worker.app"),
            ("web", "web.main"),
            ("webhooks", "worker.webhooks.main"),
        )
    )
    with Service(address) as service:
        processes.wait_until(web, service.is_ready, timeout_s=START_TIMEOUT_S)
        processes.wait_until(
            worker, lambda: all(map(service.has_model, models)), timeout_s=START_TIMEOUT_S
        )


def _build_models(processes: Processes, say: Say) -> None:
    """Make the SavedModel from the packaged weights, unless it is there already."""
    if not (MODELS / MODEL).is_dir():
        say("Building the demo model from its packaged weights; this is done once ...")
    processes.run(
        "model builder",
        [sys.executable, "-m", "deploy.demo.build_models", "--out", str(MODELS)],
        environment=_environment({}),
        timeout_s=BUILD_TIMEOUT_S,
    )


def _write_profiles(directory: Path, serving_port: int) -> Path:
    path = directory / "models.toml"
    path.write_text(
        f"[models.{MODEL}]\n"
        f'address = "dns:///{LOOPBACK}:{serving_port}"\n'
        'version_label = "stable"\n'
        'preprocess = "raw"\n'
        f'labels = "{MODELS / "labels" / "imagenet-1k.txt"}"\n'
        f"max_batch_size = {MAX_BATCH_SIZE}\n"
    )
    return path


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Our environment for a child, with these settings and none of a real deployment's."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("LIMELIGHT_")
    }
    return {
        **inherited,
        "PYTHONUNBUFFERED": "1",
        # gRPC would send even calls to loopback through a proxy of the environment.
        "no_proxy": ",".join(filter(None, [inherited.get("no_proxy"), LOOPBACK, "localhost"])),
        **settings,
    }


def _require_redis() -> None:
    """See that there is a Redis before anything takes time."""
    try:
        find_redis_server()
    except RedisServerError as error:
        raise StackError(str(error)) from error


def _require_free(port: int) -> int:
    with socket.socket() as probe:
        # As gunicorn does; without it a port that was just given up counts as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise StackError(_why_not(port, error)) from error
    return port


def _why_not(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use. Choose another: make serve ARGS='--port {port ^ 1}'."
    return f"Port {port} cannot be used ({error.strerror}). Choose another with --port."
