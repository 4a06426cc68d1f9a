"""The images' install lines and start commands work, carried out without Docker.

Docker cannot run everywhere that the tests run. So the steps of ``deploy/Dockerfile`` are taken one
by one: files are copied, ``pip`` lines run in a fresh virtual environment, and the start command
runs with compose's environment, all as a user who is not root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo.redis_server import PrivateRedis, free_port
from tests.support import compose, dockerfile

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
PATIENCE_S = 60

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Image:
    """What carrying out a stage's steps left: its directory, its environment, its user."""

    directory: Path
    steps: list[dockerfile.Step]
    environment: dict[str, str]
    user: str | None

    @contextmanager
    def container(
        self, settings: Mapping[str, str], command: list[str] | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run the start command, or another; end it by pid."""
        command = command or dockerfile.command(self.steps)
        log = (self.directory / "log").open("ab")
        process = subprocess.Popen(
            command,
            executable=self.directory / "venv" / "bin" / command[0],
            cwd=self.directory / "app",
            env={**self.environment, **settings},
            stdout=log,
            stderr=subprocess.STDOUT,
            user=self.user,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()

    def is_healthy(self, check: list[str]) -> bool:
        """Whether a health check of Compose's succeeds, carried out in the image."""
        done = subprocess.run(
            check[1:], cwd=self.directory / "app", env=self.environment, user=self.user,
            capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        return done.returncode == 0

    def said(self) -> str:
        """What the start command wrote."""
        return (self.directory / "log").read_text(errors="replace")[-4000:]


def interpreter(user: str | None) -> str:
    """A Python that the user may run: the tests' own may live in root's home."""
    for candidate in (
        sys._base_executable,
        shutil.which("python3", path="/usr/local/bin:/usr/bin"),
    ):
        if candidate is None:
            continue
        probe = [
            candidate,
            "-c",
            "import venv, ensurepip, sys; sys.exit(sys.version_info < (3, 11))",
        ]
        try:
            if subprocess.run(probe, user=user, cwd="/", check=False).returncode == 0:
                return candidate
        except PermissionError:
            continue
    pytest.skip("there is no Python >= 3.11 with venv that a user other than root may run")


@contextmanager
def build(target: str) -> Iterator[Image]:
    """Carry out the steps of a stage."""
    user = "nobody" if os.geteuid() == 0 else None
    directory = Path(tempfile.mkdtemp(prefix=f"limelight-{target}-"))
    try:
        app = directory / "app"
        app.mkdir()
        own(directory, user)
        steps = dockerfile.steps(DOCKERFILE, target)
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name.startswith("PIP_") or name in ("LANG", "SSL_CERT_FILE")
        }
        environment = {
            **inherited,
            **dockerfile.environment(steps),
            "HOME": str(directory),
            "PATH": f"{directory / 'venv' / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "no_proxy": "127.0.0.1,localhost",
        }
        base = interpreter(user)
        run([base, "-m", "venv", str(directory / "venv")], directory, environment, user)
        for step in steps:
            if step.instruction == "COPY":
                copy(step.argument, app)
                own(app, user)
            elif step.instruction == "RUN" and step.argument.startswith("pip "):
                run(["sh", "-c", step.argument], app, environment, user)
        # The containers' roots are read-only: what is not in /tmp belongs to somebody else.
        own(directory, "root" if user is not None else None)
        yield Image(directory, steps, environment, user)
    finally:
        shutil.rmtree(directory)


def copy(argument: str, app: Path) -> None:
    *sources, destination = argument.split()
    for source in sources:
        origin, goal = ROOT / source, app / destination
        if origin.is_dir():
            shutil.copytree(origin, goal, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            goal = goal / origin.name if destination.endswith("/") else goal
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin, goal)


def own(path: Path, user: str | None) -> None:
    """Give the tree to the user, as the image's build does by running its steps as root."""
    path.chmod(0o755)
    if user is not None:
        found = pwd.getpwnam(user)
        for entry in (path, *path.rglob("*")):
            os.chown(entry, found.pw_uid, found.pw_gid)


def run(command: list[str], cwd: Path, environment: Mapping[str, str], user: str | None) -> None:
    done = subprocess.run(
        command, cwd=cwd, env=dict(environment), user=user, capture_output=True, text=True,
        timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@dataclass(frozen=True)
class Composed:
    """A service of docker-compose.yml, moved to this machine: its ports, its secrets."""

    environment: dict[str, str]
    health: list[str]
    command: list[str] | None


def composed(name: str, secrets: Path, **moved: str) -> Composed:
    """Read a service; ``moved`` names other addresses for its LIMELIGHT_*_BIND."""
    service = compose.config("docker-compose.yml")["services"][name]
    told = compose.environment(service)
    health = " ".join(service["healthcheck"]["test"][3:])
    for variable, address in moved.items():
        health = health.replace(told[variable].replace("0.0.0.0", "127.0.0.1"), address)  # noqa: S104
    return Composed(
        {**told, **moved, "LIMELIGHT_SECRETS_DIR": str(secrets)},
        [*service["healthcheck"]["test"][:3], health],
        service.get("command"),
    )


def fetch(url: str) -> Any:
    return httpx.get(url, timeout=5, trust_env=False).raise_for_status().json()


def wait_for(url: str, wanted: Any, image: Image, process: subprocess.Popen[bytes]) -> Any:
    """Ask until ``wanted(answer)`` holds; fail with what the container said."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answer = fetch(url)
            if wanted(answer):
                return answer
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"{url} did not answer as wanted\n{image.said()}")


def wait_healthy(image: Image, check: list[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not image.is_healthy(check):
        assert time.monotonic() < deadline, f"{check}\n{image.said()}"
        time.sleep(0.5)


def loopback() -> str:
    return f"127.0.0.1:{free_port()}"


def test_web_worker_and_webhooks_install_and_start_as_a_user_without_rights(
    redis_server: PrivateRedis,
) -> None:
    address = loopback()
    with build("web") as web, build("worker") as worker:
        profiles = worker.directory / "models.toml"
        labels = worker.directory / "labels.txt"
        labels.write_text("\n".join(f"class {i}" for i in range(1000)))
        # Nothing listens at this port: the worker must start all the same, and say so.
        profiles.write_text(
            (ROOT / "deploy" / "models.toml")
            .read_text()
            .replace("tf-serving:8500", loopback())
            .replace("/models/labels/imagenet-1k.txt", str(labels))
        )
        secrets = worker.directory / "secrets"
        secrets.mkdir()
        (secrets / "limelight_redis_url").write_text(redis_server.url)
        for_web = composed(
            "web", secrets, LIMELIGHT_BIND=address, LIMELIGHT_WEB_METRICS_BIND=loopback()
        )
        for_worker = composed(
            "worker",
            secrets,
            LIMELIGHT_MODELS_FILE=str(profiles),
            LIMELIGHT_WORKER_METRICS_BIND=loopback(),
        )
        for_hooks = composed("webhooks", secrets, LIMELIGHT_WEBHOOK_METRICS_BIND=loopback())
        with (
            web.container(for_web.environment) as web_process,
            worker.container(for_worker.environment) as worker_process,
            web.container(for_hooks.environment, for_hooks.command) as hooks_process,
        ):
            ready = f"http://{address}/v2/health/ready"
            wait_for(ready, lambda answer: True, web, web_process)
            models = wait_for(
                f"http://{address}/v1/models",
                lambda answer: len(answer["models"]) == 1,
                worker,
                worker_process,
            )["models"]
            assert models[0]["name"] == "efficientnet-lite0"
            assert models[0]["state"] == "unavailable"
            for image, service in ((web, for_web), (worker, for_worker), (web, for_hooks)):
                wait_healthy(image, service.health)
            assert not web.is_healthy([*for_web.health[:3], "raise SystemExit(1)"])
            for process in (web_process, worker_process, hooks_process):
                assert process.poll() is None


def test_neither_image_holds_tensorflow_and_web_holds_no_scikit_image() -> None:
    held = {
        name: {
            line.split("==")[0]
            for line in (ROOT / "constraints" / f"{name}.txt").read_text().splitlines()
            if "==" in line and not line.startswith(" ")
        }
        for name in ("web", "worker")
    }
    assert not {"tensorflow", "tensorflow-serving-api", "keras"} & (held["web"] | held["worker"])
    assert not {"scikit-image", "scikit-learn", "grpcio", "numpy"} & held["web"]
