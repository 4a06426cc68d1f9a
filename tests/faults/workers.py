"""`limelight-worker` processes that an experiment starts, freezes and kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support.web_process import ROOT


@dataclass
class WorkerGroup:
    """A ``limelight-worker`` in a session of its own: its parent, its children, its steward."""

    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, log: Path, settings: Mapping[str, str]) -> WorkerGroup:
        """Start one. What the developer has set as LIMELIGHT_* does not count."""
        inherited = {name: value for name, value in os.environ.items() if "LIMELIGHT" not in name}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "worker.app"],
                cwd=ROOT,
                env={**inherited, **settings},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return cls(process, log)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all of them at once, as the end of a container does."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """End all of them at once."""
        self.send(signal.SIGKILL)
        self.process.wait(timeout=10)

    def is_ready(self) -> bool:
        """Whether Celery takes messages."""
        return "ready." in self.log.read_text(errors="replace")

    @property
    def children(self) -> set[int]:
        """Process ids of its children, while it lives."""
        with suppress(psutil.NoSuchProcess):
            return {one.pid for one in psutil.Process(self.process.pid).children()}
        return set()

    def resident_bytes(self) -> int:
        """Memory of all of them together."""
        return resident_bytes(self.process.pid)


def resident_bytes(pid: int) -> int:
    """Memory of a process and its descendants, what they share counted once for each."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for one in [parent, *parent.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                total += one.memory_info().rss
    return total
