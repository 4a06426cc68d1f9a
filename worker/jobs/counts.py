"""How often what has happened to jobs, over all processes and since Redis was empty.

The transitions themselves count (``count`` in ``lua/job.lua``), each in its own atomic step. So
nothing is counted twice when an answer is lost and a call is made again, nothing is missed when a
worker is killed, and jobs that end with their leader count as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, cast

import redis

from worker.jobs.connection import store_errors
from worker.jobs.keys import Keys

# What is counted, and by which labels beside the model.
LABELS: Mapping[str, tuple[str, ...]] = {
    "created": ("queue",),
    "claimed": ("kind",),
    "handed-back": ("reason",),
    "finished": ("status", "error"),
}


class Count(NamedTuple):
    """How often one thing happened to the jobs of one model.

    Attributes
    ----------
    what : str
        A key of ``LABELS``.
    labels : tuple of str
        The values of its labels, the model last.
    number : int
    """

    what: str
    labels: tuple[str, ...]
    number: int


def read_counts(client: redis.Redis, *, prefix: str = "limelight") -> list[Count]:
    """Read all counts: one round trip. What this version does not know is passed over.

    Raises
    ------
    StoreUnavailable
    """
    with store_errors():
        found = cast("dict[bytes, bytes]", client.hgetall(Keys(prefix).counts))
    counts = []
    for field, number in sorted(found.items()):
        what, _, rest = field.decode().partition("|")
        labels = tuple(rest.split("|", len(LABELS.get(what, ()))))
        if what in LABELS and len(labels) == len(LABELS[what]) + 1:
            counts.append(Count(what, labels, int(number)))
    return counts
