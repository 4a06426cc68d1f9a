"""The demo's children, with small programs in the place of servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deploy.demo.processes import Guard, Processes, StackError
from deploy.demo.signals import StopSignals

pytestmark = pytest.mark.integration

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN_PROGRAM = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
time.sleep(600)
"""
STUBBORN = [sys.executable, "-c", STUBBORN_PROGRAM]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with (
        StopSignals() as signals,
        Guard(tmp_path) as guard,
        Processes(tmp_path, tmp_path, guard=guard, signals=signals) as started,
    ):
        yield started


def eventually(holds: Callable[[], bool], *, timeout_s: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_child_that_dies_is_named_with_its_last_words(processes: Processes) -> None:
    child = processes.start(
        "web", [sys.executable, "-c", "raise SystemExit('no such model')"], environment={}
    )

    with pytest.raises(StackError, match=r"The web ended .*exit status 1") as caught:
        processes.wait_until(child, lambda: False, timeout_s=10)

    assert "no such model" in str(caught.value)
    assert str(child.log) in str(caught.value)


def test_a_child_killed_by_a_signal_is_told_apart(processes: Processes) -> None:
    child = processes.start("worker", SLEEPER, environment={})
    child.process.kill()
    child.process.wait()

    with pytest.raises(StackError, match="killed by SIGKILL"):
        processes.check()


def test_a_child_that_never_gets_ready_is_not_waited_for_without_end(processes: Processes) -> None:
    child = processes.start("model server", SLEEPER, environment={})

    with pytest.raises(StackError, match=r"The model server was not ready after 0 s"):
        processes.wait_until(child, lambda: False, timeout_s=0.3)


def test_a_program_that_fails_is_an_error_and_one_that_succeeds_is_forgotten(
    processes: Processes,
) -> None:
    processes.run("builder", [sys.executable, "-c", ""], environment={}, timeout_s=10)
    processes.check()

    with pytest.raises(StackError, match="The builder failed"):
        processes.run(
            "builder", [sys.executable, "-c", "raise SystemExit(3)"], environment={}, timeout_s=10
        )


def test_what_a_child_started_ends_with_it_even_if_both_ignore_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.demo.processes.STOP_GRACE_S", 0.3)
    with (
        StopSignals() as signals,
        Guard(tmp_path) as guard,
        Processes(tmp_path, tmp_path, guard=guard, signals=signals) as processes,
    ):
        child = processes.start("worker", STUBBORN, environment={})
        assert eventually(lambda: child.log.read_text().strip() != "")
        grandchild = int(child.log.read_text())

    assert is_gone(child.process.pid)
    assert eventually(lambda: is_gone(grandchild))


def test_temporary_files_of_a_child_lie_where_they_go_with_the_stack(
    processes: Processes, tmp_path: Path
) -> None:
    program = "import tempfile; print(tempfile.mkdtemp(), flush=True)"
    child = processes.start("worker", [sys.executable, "-c", program], environment={})
    child.process.wait()
    assert Path(child.log.read_text().strip()).parent == tmp_path


def test_a_signal_while_held_takes_effect_when_released() -> None:
    done: list[str] = []

    def start_something() -> None:
        with signals.held():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("started")

    with StopSignals() as signals, pytest.raises(SystemExit) as stopped:
        start_something()

    assert done == ["started"]
    assert stopped.value.code == 128 + signal.SIGTERM


PARENT = """
import os, sys, time
from pathlib import Path
from deploy.demo.processes import Guard, Processes
from deploy.demo.signals import StopSignals

directory = Path(sys.argv[1])
with StopSignals() as signals, Guard(directory) as guard, \\
        Processes(directory, directory, guard=guard, signals=signals) as processes:
    child = processes.start("worker", [sys.executable, "-c", "import time; time.sleep(600)"],
                            environment={})
    print(child.process.pid, flush=True)
    time.sleep(600)
"""


def test_children_end_and_the_directory_goes_when_the_parent_is_killed(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    directory.mkdir()
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(directory)], cwd=root, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()

    assert eventually(lambda: is_gone(child))
    assert eventually(lambda: not directory.exists())
