"""The Lua scripts, each one atomic step in Redis.

A script is a file in ``lua``, put behind the files that it shares with others. Redis compiles it
once and is then called with its digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from types import MappingProxyType
from typing import Any

import redis

from worker.jobs.connection import store_errors

_JOB = ("clock", "job", "sharing")

# Which shared files each script stands behind.
_SHARED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "create": ("clock", "memory", "job"),
        "mark_published": _JOB,
        "claim": _JOB,
        "join": _JOB,
        "renew": _JOB,
        "report": _JOB,
        "give_back": _JOB,
        "hasten": _JOB,
        "end_claim": _JOB,
        "expire": _JOB,
        "request_cancel": _JOB,
        "discard": _JOB,
        "erase": _JOB,
        "overdue": ("clock",),
        "lead": (),
        "admit_blob": ("clock", "memory"),
        "own_blobs": ("clock",),
        "retain_blobs": (),
        "release_blobs": (),
        "publish_models": ("clock",),
        "reserve_answer": ("clock",),
        "keep_answer": (),
        "release_answer": (),
        "take_delivery": ("clock",),
        "settle_delivery": ("clock",),
        "put_off_deliveries": ("clock",),
        "redeliver": ("clock",),
        "enter_traffic": ("clock", "traffic"),
        "renew_seat": ("clock", "traffic"),
        "leave_seat": ("clock", "traffic"),
    }
)

Argument = str | bytes | int | float


def source(name: str) -> str:
    """Return the whole text of a script."""
    folder = resources.files("worker.jobs") / "lua"
    return "\n".join((folder / f"{part}.lua").read_text() for part in (*_SHARED[name], name))


class Scripts:
    """All scripts, on one Redis."""

    def __init__(self, client: redis.Redis) -> None:
        self._scripts = {name: client.register_script(source(name)) for name in _SHARED}

    def run(self, name: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """Run a script: one round trip.

        Raises
        ------
        StoreUnavailable, StoreFull
        """
        with store_errors():
            return self._scripts[name](keys=keys, args=arguments)
