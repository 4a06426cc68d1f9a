"""``python -m web.main`` as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx

from deploy.demo.redis_server import LOOPBACK, free_port

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 90.0


def start(
    environment: Mapping[str, str], *, output: int | IO[str], code: Path = ROOT
) -> subprocess.Popen[str]:
    """Start the server. What the developer has set as LIMELIGHT_* does not count."""
    inherited = {name: value for name, value in os.environ.items() if "LIMELIGHT" not in name}
    return subprocess.Popen(
        [sys.executable, "-m", "web.main"],
        cwd=code,
        env={**inherited, **environment},
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def running(
    redis_url: str, log: Path, *, host: str = LOOPBACK, code: Path = ROOT, **settings: str
) -> Iterator[str]:
    """Run the server until the block ends; its base URL. What it says goes to ``log``.

    ``code`` is the directory that holds the packages.
    """
    url = f"http://{LOOPBACK}:{(port := free_port())}"
    environment = {
        "LIMELIGHT_REDIS_URL": redis_url,
        "LIMELIGHT_BIND": f"{host}:{port}",
        "LIMELIGHT_WEB_WORKERS": "1",
        **{f"LIMELIGHT_{name.upper()}": value for name, value in settings.items()},
    }
    with log.open("w") as output:
        process = start(environment, output=output, code=code)
    try:
        _wait_until_live(url, process, log)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=START_TIMEOUT_S)


def _wait_until_live(url: str, process: subprocess.Popen[str], log: Path) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{url}/v2/health/live", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"the web process did not start:\n{log.read_text()}")
