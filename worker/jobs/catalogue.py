"""The model catalogue: what workers know of the models, for a web that asks no model server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import redis

from worker.jobs.codec import known, to_json
from worker.jobs.connection import store_errors
from worker.jobs.keys import Keys
from worker.jobs.scripts import Scripts

# A worker that was silent for this long while another spoke is gone, and its models with it.
FORGET_S = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelEntry:
    """One configured model, as a worker last saw it.

    Attributes
    ----------
    name : str
    state : str
        ``available`` or ``unavailable``.
    version, signature, input_size, channels, dtype, class_count
        What the model server says of it; None where it is unavailable. ``input_size`` is
        (height, width) in pixels.
    labels : tuple of str or None
        Class names by class index, where the profile has them.
    problem : str or None
        Why it is unavailable, and the cure.
    warnings : tuple of str
        What makes one doubt that it is configured as it should be, though it works.
    seen_at : float
        When a worker last published it, in Unix seconds of the Redis clock.
    """

    name: str
    state: Literal["available", "unavailable"]
    version: int | None = None
    signature: str | None = None
    input_size: tuple[int, int] | None = None
    channels: int | None = None
    dtype: str | None = None
    class_count: int | None = None
    labels: tuple[str, ...] | None = None
    problem: str | None = None
    warnings: tuple[str, ...] = ()
    seen_at: float = 0.0


class Catalogue:
    """The catalogue in Redis. Every method raises ``StoreUnavailable`` if that is not reachable."""

    def __init__(self, client: redis.Redis, *, prefix: str = "limelight") -> None:
        self._redis = client
        self._keys = Keys(prefix)
        self._scripts = Scripts(client)

    def publish(self, entries: Iterable[ModelEntry], *, worker: str) -> None:
        """Replace what this worker says, and with it say that the worker is alive."""
        by_name = {entry.name: to_json(entry) for entry in entries}
        pairs = [part for pair in by_name.items() for part in pair]
        self._scripts.run(
            "publish_models",
            [self._keys.models, self._keys.workers],
            [worker, json.dumps(list(by_name)), FORGET_S, *pairs],
        )

    def models(self) -> Mapping[str, ModelEntry]:
        """Return every model that a worker serves, by name: one round trip.

        When no worker has been seen for long, the last ones stand: jobs are still accepted.
        """
        entries, reports = self._read()
        seen: dict[str, float] = {}
        for report in reports.values():
            for name in report["models"]:
                seen[name] = max(seen.get(name, 0.0), report["seen_at"])
        return {
            name: replace(_entry(entries[name]), seen_at=seen_at)
            for name, seen_at in sorted(seen.items())
            if name in entries
        }

    def workers(self) -> Mapping[str, float]:
        """Return when each worker was last seen, in Unix seconds of the Redis clock."""
        return {worker: report["seen_at"] for worker, report in sorted(self._read()[1].items())}

    def _read(self) -> tuple[dict[str, bytes], dict[str, dict[str, Any]]]:
        # No transaction: Redis at its memory limit queues nothing for one, not even what reads.
        with store_errors(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(self._keys.models)
            pipeline.hgetall(self._keys.workers)
            entries, reports = cast("list[dict[bytes, bytes]]", pipeline.execute())
        return (
            {name.decode(): entry for name, entry in entries.items()},
            {worker.decode(): json.loads(report) for worker, report in reports.items()},
        )


def _entry(text: bytes) -> ModelEntry:
    members = json.loads(text)
    # JSON has lists where a frozen value has tuples.
    for name in ("input_size", "labels", "warnings"):
        if members.get(name) is not None:
            members[name] = tuple(members[name])
    return known(ModelEntry, members)
