"""The whole service, started once for all tests that ask it over HTTP."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.redis_server import free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def service_url() -> Iterator[str]:
    """Address of the embedded stack: web, Redis, worker and model server."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.demo", "--serve", "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert any("curl -F" in line for line in process.stdout), "the stack did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=60)
