"""A browser before a stack of its own, for what only browsers do: caches, origins, proxies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.integration.documentation.conftest import wait_until, worker
from tests.support import pictures, web_process
from tests.support.browser import chromium
from tests.support.private_redis import private_redis
from tests.support.quadrant_server import QuadrantServer

ROOT = Path(__file__).resolve().parents[3]
# What proxies and pages are called by. Resolved by the browser itself: nothing is asked.
NAMES = ("example.org", "app.example.net", "other.example.net")

expect.set_options(timeout=15_000)


# Playwright's loop runs in this thread as long as it is open: it ends with this folder.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    rules = ",".join(f"MAP {name} 127.0.0.1" for name in NAMES)
    with chromium(f"--host-resolver-rules={rules}", keeps_pages=True) as opened:
        yield opened


@dataclass(frozen=True)
class Workshop:
    """A Redis, a model server and a worker, for front ends with different settings."""

    redis_url: str
    folder: Path
    model: QuadrantServer

    @contextmanager
    def web(self, **settings: str) -> Iterator[str]:
        """Run a front end; its URL."""
        with web_process.running(self.redis_url, self.folder / "web.log", **settings) as url:
            health = httpx.Client(base_url=url, trust_env=False)
            with health:
                wait_until(lambda: health.get("/v2/health/ready").is_success)
            yield url

    def key(self) -> str:
        """Make a key; from then on nobody gets in without one."""
        command = ["keys", "create", "--scope", "submit", "--scope", "read"]
        done = subprocess.run(
            [sys.executable, "-m", "limelight.cli", *command],
            cwd=ROOT, env={"LIMELIGHT_REDIS_URL": self.redis_url, "PATH": "/usr/bin"},
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        return done.stdout.strip()


@pytest.fixture(scope="package")
def make_workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Workshop]]:
    """Make workshops, each with a store of its own; they end with this folder."""
    with QuadrantServer() as model, ExitStack() as opened:

        def make() -> Workshop:
            folder = tmp_path_factory.mktemp("workshop")
            redis = opened.enter_context(private_redis(folder / "redis"))
            (folder / "models.toml").write_text(model.profile())
            settings = {
                "LIMELIGHT_REDIS_URL": redis.url,
                "LIMELIGHT_MODELS_FILE": str(folder / "models.toml"),
                # Each job is to be seen at work.
                "LIMELIGHT_REUSE_RESULTS": "false",
            }
            opened.enter_context(worker(settings, folder / "worker.log", ROOT))
            return Workshop(redis.url, folder, model)

        yield make


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A picture to explain."""
    file = tmp_path / "cat.png"
    file.write_bytes(pictures.png())
    return file
