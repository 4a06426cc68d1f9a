"""In which order a worker looks into its queues, so that neither is starved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from worker.jobs.keys import QUEUES

# While all queues have messages, one of so many is taken from the queue that comes last.
LAST_EVERY = 4
_PLACES: Mapping[str, int] = {queue: place for place, queue in enumerate(QUEUES)}


class InteractiveMostly:
    """Interactive before bulk, but every fourth message is a bulk one if there is any.

    kombu's own orders are strict, which lets bulk jobs starve, or take turns, which makes a single
    interactive job wait as long as a thousand bulk ones. It makes one of these for each worker, by
    the name in ``queue_order_strategy``, and calls what ``kombu.utils.scheduling`` has.
    """

    def __init__(self) -> None:
        self._queues: list[str] = []
        self._since_last = 0

    def update(self, queues: Iterable[str]) -> None:
        """Take the queues that are read now, in any order."""
        self._queues = sorted(queues, key=lambda queue: _PLACES.get(queue, len(_PLACES)))

    def consume(self, count: int) -> list[str]:
        """Return the queues in the order in which to look for the next message."""
        turned = self._since_last >= LAST_EVERY - 1
        return (self._queues[::-1] if turned else self._queues)[:count]

    def rotate(self, last_used: str) -> str:
        """Note from which queue a message was taken."""
        is_last = self._queues[-1:] == [last_used]
        self._since_last = 0 if is_last else self._since_last + 1
        return last_used
