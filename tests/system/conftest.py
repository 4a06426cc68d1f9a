"""The whole service, started once for all tests that ask it over HTTP."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.demo.redis_server import free_port

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Serving:
    """Where the embedded stack is, and all that it said until it ran."""

    url: str
    redis_url: str
    said: str


@pytest.fixture(scope="session")
def serving() -> Iterator[Serving]:
    """The embedded stack, as ``make serve`` starts it."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.demo", "--serve", "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if "LIMELIGHT_REDIS_URL=" in line:  # The last thing that it says once it runs.
                break
        redis_url = lines[-1].partition("LIMELIGHT_REDIS_URL=")[2].strip() if lines else ""
        assert redis_url, "the stack did not start"
        yield Serving(f"http://127.0.0.1:{port}", redis_url, "".join(lines))
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="session")
def service_url(serving: Serving) -> str:
    """Address of its web process."""
    return serving.url
