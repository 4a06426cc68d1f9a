"""What was accepted and how it ended, kept outside the service under test."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path
from threading import Lock


class Ledger:
    """A SQLite file that several threads write to.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._lock = Lock()
        self._file = sqlite3.connect(path, check_same_thread=False)
        self._file.execute("CREATE TABLE jobs (id TEXT PRIMARY KEY, status TEXT, attempts INT)")

    def accept(self, job_id: str) -> None:
        """Write down a job that the service answered for with 202."""
        with self._lock, self._file:
            self._file.execute("INSERT INTO jobs VALUES (?, NULL, 0)", (job_id,))

    def end(self, job_id: str, status: str, *, attempts: int) -> None:
        """Write down how a job ended, and how often it had been started."""
        with self._lock, self._file:
            self._file.execute(
                "UPDATE jobs SET status = ?, attempts = ? WHERE id = ?", (status, attempts, job_id)
            )

    def open(self) -> list[str]:
        """Ids of the jobs whose end was not seen."""
        with self._lock:
            found = self._file.execute("SELECT id FROM jobs WHERE status IS NULL")
            return [row[0] for row in found]

    def counts(self) -> Counter[str]:
        """How many jobs ended how; those that did not under ``open``."""
        with self._lock:
            found = self._file.execute("SELECT status, COUNT(*) FROM jobs GROUP BY status")
            return Counter({status or "open": count for status, count in found})

    def taken_again(self) -> int:
        """How many jobs were started more than once."""
        with self._lock:
            (found,) = self._file.execute("SELECT COUNT(*) FROM jobs WHERE attempts > 1")
            return int(found[0])

    def given_up(self) -> int:
        """How many jobs failed after three attempts, the most that there are."""
        with self._lock:
            (found,) = self._file.execute(
                "SELECT COUNT(*) FROM jobs WHERE status = 'failed' AND attempts = 3"
            )
            return int(found[0])

    def close(self) -> None:
        """Close the file."""
        self._file.close()
