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
        self._file.execute("CREATE TABLE jobs (id TEXT PRIMARY KEY, status TEXT)")

    def accept(self, job_id: str) -> None:
        """Write down a job that the service answered for with 202."""
        with self._lock, self._file:
            self._file.execute("INSERT INTO jobs VALUES (?, NULL)", (job_id,))

    def end(self, job_id: str, status: str) -> None:
        """Write down how a job ended."""
        with self._lock, self._file:
            self._file.execute("UPDATE jobs SET status = ? WHERE id = ?", (status, job_id))

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

    def close(self) -> None:
        """Close the file."""
        self._file.close()
