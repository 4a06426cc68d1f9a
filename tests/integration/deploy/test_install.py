"""What `make` says when it cannot install: a sentence with the cure, and no trace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.integration


def install(venv: Path, *, python: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "constraints" / "install.sh", venv, "demo"],
        env={**os.environ, "PYTHON": python, "TMPDIR": str(venv.parent), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def fake_python(at: Path, script: str) -> str:
    at.write_text(f"#!/bin/sh\n{script}\n")
    at.chmod(0o755)
    return str(at)


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    ended = install(tmp_path / "venv", python="python3.99")

    assert ended.returncode == 1
    assert ended.stderr.startswith("limelight: there is no 'python3.99' here; name a Python 3.11")
    assert list(tmp_path.iterdir()) == []


def test_a_python_that_does_not_run_is_quoted(tmp_path: Path) -> None:
    python = fake_python(tmp_path / "python", "echo 'shim: no such version' >&2; exit 127")
    ended = install(tmp_path / "venv", python=python)

    assert ended.returncode == 1
    assert f"'{python}' does not run (shim: no such version);" in ended.stderr
    assert "too old" not in ended.stderr


def test_a_python_that_is_too_old_is_said_with_its_version(tmp_path: Path) -> None:
    python = fake_python(tmp_path / "python", '[ "$1" = --version ] && echo Python 3.9.2')
    ended = install(tmp_path / "venv", python=python)

    assert ended.returncode == 1
    assert "Python 3.9.2 is too old; name a Python 3.11 or newer" in ended.stderr


def test_no_network_is_said_in_a_sentence_and_an_interrupted_environment_is_mended(
    tmp_path: Path,
) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    ended = install(
        venv,
        python=sys.executable,
        PIP_CONFIG_FILE=os.devnull,
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_RETRIES="0",
        PIP_NO_CACHE_DIR="1",
    )

    assert ended.returncode == 1
    assert "the package index could not be reached; check the network" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (venv / "bin" / "pip").exists()
