"""What processes leave in the temporary directory when they end, and when they are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.demo.redis_server import LOOPBACK, free_port
from worker.telemetry.folders import temporary_folder

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_S = 60.0
MODELS = f'[models.m]\naddress = "{LOOPBACK}:1"\n'
FORKS = """
import os, sys, time
from pathlib import Path
from worker.telemetry.folders import temporary_folder
with temporary_folder("of-ours-", Path(sys.argv[1])):
    if os.fork():
        print(os.getpid(), flush=True)
    time.sleep(600)
"""


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def age(folder: Path) -> None:
    """Let a folder have been made a while ago."""
    os.utime(folder, (time.time() - 3600,) * 2)


@contextmanager
def service(module: str, temporary: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has made its folder; it needs no Redis for that."""
    models = temporary.parent / "models.toml"
    models.write_text(MODELS)
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if "LIMELIGHT" not in name}
    environment |= {
        "TMPDIR": str(temporary),
        "LIMELIGHT_REDIS_URL": f"redis://{LOOPBACK}:{free_port()}/0",
        "LIMELIGHT_BIND": f"{LOOPBACK}:{port}",
        "LIMELIGHT_WORKER_METRICS_BIND": f"{LOOPBACK}:{port}",
        "LIMELIGHT_MODELS_FILE": str(models),
        "LIMELIGHT_CONCURRENCY": "1",
    }
    before = set(temporary.iterdir())
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        eventually(lambda: any(any(made.iterdir()) for made in set(temporary.iterdir()) - before))
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    directory = tmp_path / "temporary"
    directory.mkdir()
    return directory


@pytest.mark.parametrize("module", ["web.main", "worker.app"])
def test_what_a_killed_process_left_is_gone_once_another_starts(
    module: str, temporary: Path
) -> None:
    with service(module, temporary) as killed:
        os.killpg(killed.pid, signal.SIGKILL)
    [left] = temporary.iterdir()
    age(left)
    with service(module, temporary):
        eventually(lambda: not left.exists())
        [running] = temporary.iterdir()
        age(running)
        with service(module, temporary):
            assert running.exists()


def test_a_front_end_that_is_stopped_leaves_nothing(temporary: Path) -> None:
    with service("web.main", temporary) as stopped:
        # Before gunicorn has set its own, a signal would end the process at once.
        time.sleep(3)
        stopped.terminate()
        stopped.wait(TIMEOUT_S)
    assert list(temporary.iterdir()) == []


def test_a_folder_is_in_use_as_long_as_a_child_of_the_killed_process_lives(
    temporary: Path,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FORKS, str(temporary)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        [left] = temporary.iterdir()
        age(left)
        parent.kill()
        parent.wait()
        with temporary_folder("of-ours-", temporary):
            assert left.exists()
        os.killpg(parent.pid, signal.SIGKILL)

    def is_removed() -> bool:
        with temporary_folder("of-ours-", temporary):
            return not left.exists()

    eventually(is_removed)
    assert list(temporary.iterdir()) == []


def test_what_has_only_been_made_is_no_ones_to_remove(temporary: Path) -> None:
    (new := temporary / "of-ours-1").mkdir()
    with temporary_folder("of-ours-", temporary):
        assert new.exists()


def test_links_and_files_of_such_names_are_left_alone(temporary: Path, tmp_path: Path) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    age(elsewhere)
    (temporary / "of-ours-link").symlink_to(elsewhere)
    (temporary / "of-ours-file").touch()
    for path in temporary.iterdir():
        os.utime(path, (time.time() - 3600,) * 2, follow_symlinks=False)
    with temporary_folder("of-ours-", temporary):
        pass
    assert {path.name for path in temporary.iterdir()} == {"of-ours-link", "of-ours-file"}
    assert elsewhere.exists()
