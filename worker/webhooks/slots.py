"""How many tries run at a time, in all and at each host, so that dead hosts never slow others."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from typing import Literal

# How many hosts are remembered as slow; the longest known are forgotten first.
REMEMBERED = 10_000

# "wait": this one has to, look at the next. "later": it is a slow host's, come back in a while.
Admission = Literal["admitted", "wait", "later", "full"]


class Slots:
    """Counts tries that run. A host that let one time out is slow until it answers in time.

    A slow host gets one try at a time, and all slow hosts together half of the slots at most:
    however many of them there are, the rest stays for those that answer.

    Parameters
    ----------
    total : int
        Tries at a time.
    per_host : int
        Tries at a time at one host.
    """

    def __init__(self, *, total: int, per_host: int) -> None:
        self._total = total
        self._per_host = per_host
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self._slow: OrderedDict[str, None] = OrderedDict()

    def admit(self, host: str) -> Admission:
        """Take a slot for a try at this host, or say why there is none."""
        with self._lock:
            if self._running.total() >= self._total:
                return "full"
            if host in self._slow:
                if self._running[host] or self._slow_running() >= self._total // 2:
                    return "later"
            elif self._running[host] >= self._per_host:
                return "wait"
            self._running[host] += 1
            return "admitted"

    def release(self, host: str, *, timed_out: bool | None) -> None:
        """Give the slot back; ``timed_out`` is None if no try was made."""
        with self._lock:
            self._running[host] -= 1
            # A counter keeps zeros, and there is no end of hosts.
            self._running += Counter()
            if timed_out:
                self._slow[host] = None
                self._slow.move_to_end(host)
                if len(self._slow) > REMEMBERED:
                    self._slow.popitem(last=False)
            elif timed_out is not None:
                self._slow.pop(host, None)

    def _slow_running(self) -> int:
        return sum(count for host, count in self._running.items() if host in self._slow)
