"""How many tries run at a time, in all and at each host, so that dead hosts never slow others."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from typing import Literal

# How many hosts are remembered; what was learnt longest ago is forgotten first.
REMEMBERED = 10_000

# Why there is no slot: none is left, or none for this host, which is of this kind.
Admission = Literal["admitted", "full", "prompt", "stranger", "slow"]


class Slots:
    """Counts tries that run, and remembers which hosts answer.

    A host is ``prompt`` if it answered without delay when it was last tried, ``slow`` if not, and a
    ``stranger`` before. Only prompt hosts get more than one slot. Slow hosts share half of the
    slots, and with strangers three quarters: the last quarter waits for hosts that answer, however
    many there are that do not. The last eighth is for hosts that have no slot yet: prompt hosts
    that fall ill all at once are found out only when their tries end.

    Parameters
    ----------
    total : int
        Tries at a time.
    per_host : int
        Tries at a time at one prompt host.
    """

    def __init__(self, *, total: int, per_host: int) -> None:
        self._total = total
        self._per_host = per_host
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self._prompt: OrderedDict[str, bool] = OrderedDict()

    def admit(self, host: str) -> Admission:
        """Take a slot for a try at this host, or say why there is none."""
        with self._lock:
            if self._running.total() >= self._total:
                return "full"
            prompt = self._prompt.get(host)
            if prompt:
                if self._running[host] and not self._has_room_for_more(host):
                    return "prompt"
            elif self._running[host] or not self._has_room_for_others(slow=prompt is False):
                return "stranger" if prompt is None else "slow"
            self._running[host] += 1
            return "admitted"

    def release(self, host: str, *, slow: bool | None) -> None:
        """Give the slot back; ``slow`` is None if no try was made."""
        with self._lock:
            self._running[host] -= 1
            if not self._running[host]:
                del self._running[host]
            if slow is not None:
                self._prompt[host] = not slow
                self._prompt.move_to_end(host)
                if len(self._prompt) > REMEMBERED:
                    self._prompt.popitem(last=False)

    def _has_room_for_more(self, host: str) -> bool:
        """Whether a prompt host may have a slot beside the one that it has."""
        free = self._total - self._running.total()
        return self._running[host] < self._per_host and free > self._total // 8

    def _has_room_for_others(self, *, slow: bool) -> bool:
        """Whether hosts that are not prompt may have one more slot."""
        kinds: Counter[bool | None] = Counter()
        for host, count in self._running.items():
            kinds[self._prompt.get(host)] += count
        if slow and kinds[False] >= self._total // 2:
            return False
        return kinds[False] + kinds[None] < self._total - self._total // 4
