"""Real models and a running model server for tests.

Models are built by child processes, so that a test session stays free of TensorFlow, and kept in
the repository's cache, so that a second session finds them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.demo import build_models
from tests.support import dog_model, large_model

MODELS: Final = build_models.DEFAULT_DIRECTORY
IMAGENET_LABELS: Final = MODELS / "labels" / "imagenet-1k.txt"
_ROOT: Final = Path(__file__).resolve().parents[2]
_BUILD_TIMEOUT_S: Final = 240
_STOP_TIMEOUT_S: Final = 30


@dataclass(frozen=True, kw_only=True)
class ModelServer:
    """A model server that is ready; `versions` are those that it loaded before it said so."""

    port: int
    versions: dict[str, list[int]]
    process: subprocess.Popen[str]

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"


def efficientnet_lite0() -> Path:
    """Base path of EfficientNet-Lite0; built when it is missing."""
    result = _run("deploy.demo.build_models")
    assert result.returncode == 0, result.stderr
    return MODELS / build_models.MODEL_NAME


def dog_breeds() -> Path:
    """Base path of the dog network; without a registry the test is skipped, but not in CI."""
    result = _run("tests.support.dog_model")
    if result.returncode == dog_model.REGISTRY_UNREACHABLE and not os.environ.get("CI"):
        pytest.skip(f"the dog network cannot be fetched: {result.stderr.strip()}")
    assert result.returncode == 0, result.stderr
    return MODELS / dog_model.MODEL_NAME


def large_efficientnet() -> Path:
    """Base path of EfficientNet-Lite0 for 640 by 640 pixels."""
    efficientnet_lite0()
    result = _run("tests.support.large_model")
    assert result.returncode == 0, result.stderr
    return MODELS / large_model.MODEL_NAME


@contextmanager
def running_model_server(models: Mapping[str, Path], *options: str) -> Iterator[ModelServer]:
    """Run a model server on a free port until the block ends."""
    command = [sys.executable, "-m", "deploy.demo.model_server", "--port", "0", "--threads", "1"]
    for name, base_path in models.items():
        command += ["--model", f"{name}={base_path}"]
    with subprocess.Popen(
        [*command, *options], cwd=_ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            ready = _wait_until_ready(process)
            yield ModelServer(port=ready["port"], versions=ready["models"], process=process)
        finally:
            process.terminate()
            process.wait(timeout=_STOP_TIMEOUT_S)


def _wait_until_ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    # The test's own time limit ends the wait for a server that never gets ready.
    line = process.stdout.readline()
    assert line, f"the model server ended with code {process.wait(timeout=_STOP_TIMEOUT_S)}"
    ready: dict[str, Any] = json.loads(line)
    assert ready["ready"] is True
    return ready


def _run(module: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, "--out", str(MODELS)],
        cwd=_ROOT, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S, check=False,
    )  # fmt: skip
