"""Compose files as Compose itself reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def config(file: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a Compose file with anchors and defaults filled in; skip where there is no Compose."""
    program = shutil.which("docker-compose")
    if program is None:
        message = "docker-compose is not installed (Debian: apt-get install docker-compose)"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    done = subprocess.run(
        [program, "--file", file, "config"], cwd=ROOT, env={**os.environ, **(environment or {})},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


def environment(service: Mapping[str, Any]) -> dict[str, str]:
    """Return what a service is told by variables."""
    given: dict[str, str] = service.get("environment", {})
    return given
