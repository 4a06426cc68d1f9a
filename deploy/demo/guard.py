"""Ends the stack's processes when the demo dies without a chance to (kill -9, a crash).

The demo starts this file as a process in a session of its own and tells it, a line each, which
process groups it has started. The pipe between the two closes when the demo ends, however it
ends: that works on every POSIX system and reaches grandchildren, which a parent-death signal does
not. It runs isolated and without site-packages, so it costs a few megabytes.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time

GRACE_S = 5.0
# The kernel ends a killed process within this time.
KILLED_S = 2.0
ALL_STOPPED = "all stopped"


def main() -> None:
    """Read process group ids until the pipe closes; end those groups unless told not to."""
    groups: list[int] = []
    for line in sys.stdin:
        if line.strip() == ALL_STOPPED:
            return
        groups.append(int(line))
    end_groups(groups, grace_s=GRACE_S)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


def end_groups(groups: list[int], *, grace_s: float) -> None:
    """Ask every process group to end, and kill what is left of it after ``grace_s`` seconds."""
    left = _left([group for group in groups if send(group, signal.SIGTERM)], within_s=grace_s)
    _left([group for group in left if send(group, signal.SIGKILL)], within_s=KILLED_S)


def _left(groups: list[int], *, within_s: float) -> list[int]:
    """Wait until these process groups have ended; those that have not in time."""
    deadline = time.monotonic() + within_s
    while groups and time.monotonic() < deadline:
        time.sleep(0.1)
        groups = [group for group in groups if send(group, 0)]
    return groups


def send(group: int, how: int) -> bool:
    """Send a signal to a process group; whether there is such a group still."""
    try:
        os.killpg(group, how)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS answers so for a group in which only zombies are left.
        return False
    return True


if __name__ == "__main__":
    main()
