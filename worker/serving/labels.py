"""Class names: a text file with one name a line, the first line for class 0."""

from __future__ import annotations

from pathlib import Path


def read_labels(path: Path) -> tuple[str, ...]:
    """Read a labels file in UTF-8; empty lines at its end do not count.

    Raises
    ------
    OSError, UnicodeDecodeError
        If it cannot be read.
    """
    lines = [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)
