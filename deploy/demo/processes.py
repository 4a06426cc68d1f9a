"""The processes of the embedded stack: started, watched and ended together."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.demo import guard
from deploy.demo.signals import StopSignals

STOP_GRACE_S = 8.0
LAST_LINES = 12
POLL_S = 0.1


class StackError(Exception):
    """The stack cannot go on. The text says why and what to do, for the person at the terminal."""


@dataclass(frozen=True)
class Child:
    """A process that we started, the leader of a process group of its own, and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def last_lines(self) -> str:
        """Quote the end of its log, indented, and name the file."""
        lines = self.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        shown = "\n".join(f"    {line}" for line in lines) or "    (it wrote nothing)"
        return f"The last lines of its log {self.log} are:\n{shown}"


class Guard:
    """Keeps ``guard.py`` running, which ends the process groups it knows if we are killed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Start it, in a session of its own: what kills us must not kill it."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(self._directory)],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tell it that everything has ended."""
        self._say(guard.ALL_STOPPED)
        if self._process is not None:
            self._process.communicate()

    def watch(self, group: int) -> None:
        """Have it end this process group too."""
        self._say(str(group))

    def _say(self, line: str) -> None:
        if self._process is None or self._process.stdin is None:
            raise RuntimeError("the guard is not running")
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()


class Processes:
    """Starts children, notices when one dies, and ends all of them.

    Parameters
    ----------
    directory : Path
        Where the logs go.
    working_directory : Path
        Where the children run; ``deploy``, ``web`` and ``worker`` can be imported from there.
    guard : Guard
        Learns of each child.
    signals : StopSignals
        Held while a child is started and while all are ended.
    """

    def __init__(
        self, directory: Path, working_directory: Path, *, guard: Guard, signals: StopSignals
    ) -> None:
        self._directory = directory
        self._working_directory = working_directory
        self._guard = guard
        self._signals = signals
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all children, whatever happened."""
        with self._signals.held():
            self._stop_all()

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
    ) -> Child:
        """Start a child in a session of its own, so that Ctrl-C reaches us alone.

        Parameters
        ----------
        name : str
            What a person calls it: "model server".
        command : sequence of str
            Program and arguments.
        environment : mapping of str to str
            The child's whole environment, but for where its temporary files lie.
        """
        log = self._directory / f"{name.replace(' ', '-')}.log"
        with self._signals.held(), log.open("wb") as output:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._working_directory,
                # What it leaves behind goes with our directory, even if it is killed.
                env={**environment, "TMPDIR": str(self._directory)},
                start_new_session=True,
            )
            child = Child(name, process, log)
            self._children.append(child)
            self._guard.watch(process.pid)
        return child

    def wait_until(self, child: Child, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait until a child is ready.

        Raises
        ------
        StackError
            If it is not ready in time, or any child has ended.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise StackError(
                    f"The {child.name} was not ready after {timeout_s:.0f} s. {child.last_lines()}"
                )
            time.sleep(POLL_S)

    def check(self) -> None:
        """See that all children run.

        Raises
        ------
        StackError
            If one has ended: which, how, and what it said last.
        """
        for child in self._children:
            status = child.process.poll()
            if status is not None:
                raise StackError(
                    f"The {child.name} ended unexpectedly ({describe(status)}). "
                    f"{child.last_lines()}"
                )

    def run(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        timeout_s: float,
        accepted: Collection[int] = (0,),
    ) -> str:
        """Run a program to its end; return what it wrote.

        Parameters
        ----------
        name, command, environment
            As of ``start``.
        timeout_s : float
        accepted : collection of int
            Exit statuses that are no failure.

        Raises
        ------
        StackError
            If it fails or takes too long.
        """
        child = self.start(name, command, environment=environment)
        try:
            status = child.process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise StackError(
                f"The {name} did not end within {timeout_s:.0f} s. {child.last_lines()}"
            ) from error
        if status not in accepted:
            raise StackError(f"The {name} failed ({describe(status)}). {child.last_lines()}")
        self._children.remove(child)
        return child.log.read_text(errors="replace")

    def _stop_all(self) -> None:
        """Ask all to end, then kill what is left of each group."""
        for child in self._children:
            if child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + STOP_GRACE_S
        for child in self._children:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                # Nothing of a private stack outlives it, so there is nothing to save.
                child.process.kill()
            # A worker that was killed cannot end its own children.
            guard.send(child.process.pid, signal.SIGKILL)
            child.process.wait()
        self._children.clear()


def describe(status: int) -> str:
    """Words for what ``Popen.poll`` gives: an exit status, or minus the number of a signal."""
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"
