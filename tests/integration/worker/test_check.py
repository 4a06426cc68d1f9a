"""``limelight-worker check`` as an operator runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.worker.conftest import ROOT, worker_environment
from tests.support.quadrant_server import QuadrantServer

pytestmark = pytest.mark.integration


def check(models: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "worker.app", "check"],
        cwd=ROOT,
        env=worker_environment({"LIMELIGHT_MODELS_FILE": str(models)}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_profile_that_fits_its_model_is_ok(model_server: QuadrantServer, tmp_path: Path) -> None:
    models = tmp_path / "models.toml"
    models.write_text(model_server.profile())
    done = check(models)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith(": ok")


def test_a_profile_that_does_not_fit_is_told_with_its_cure(
    model_server: QuadrantServer, tmp_path: Path
) -> None:
    models = tmp_path / "models.toml"
    models.write_text(model_server.profile() + 'output = "scoers"\n')
    done = check(models)
    assert done.returncode == 78
    assert "cannot be explained" in done.stdout
    assert "scoers" in done.stdout
    assert done.stderr == ""
