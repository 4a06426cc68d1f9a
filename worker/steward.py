"""What one process per worker does beside the pool: publish the model catalogue, sweep.

It is a process of its own because it talks to the model servers: gRPC must not be used before a
fork, and Celery's parent forks a child whenever one has ended. It opens its own connections and
never touches a job that it does not sweep.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import structlog

from worker.jobs.catalogue import ModelEntry
from worker.jobs.errors import StoreUnavailable
from worker.serving.errors import PredictorError
from worker.serving.resolved import ResolvedModel

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

RESOLVE_TIMEOUT_S = 5.0


class Served(Protocol):
    """A configured model, asked what is served under its name."""

    def resolve(self, version: int | None, *, timeout_s: float) -> ResolvedModel:
        """Return what is served now, or raise a ``PredictorError``."""


def repeat(work: Callable[[], object], *, every_s: float, stop: threading.Event) -> None:
    """Do the work now and again every ``every_s`` seconds, until told to stop.

    An error ends one round, not the process: Redis may be away for a minute, and a mistake in one
    duty must not leave every lost job lying.
    """
    while True:
        try:
            work()
        except StoreUnavailable as error:
            log.warning("the store is away, trying again", error=str(error))
        except Exception:
            log.exception("a round of the steward failed")
        if stop.wait(every_s):
            return


def entries_of(models: Mapping[str, Served]) -> tuple[ModelEntry, ...]:
    """Ask each model server what it serves, all at once.

    One that does not answer takes ``RESOLVE_TIMEOUT_S`` seconds and comes out as unavailable.
    """
    if not models:
        return ()
    with ThreadPoolExecutor(max_workers=min(len(models), 16)) as pool:
        return tuple(pool.map(lambda item: entry_of(*item), models.items()))


def entry_of(name: str, model: Served) -> ModelEntry:
    """Return the catalogue's entry of one model, with the problem if it cannot be used."""
    try:
        resolved = model.resolve(None, timeout_s=RESOLVE_TIMEOUT_S)
    except PredictorError as error:
        log.warning("model unavailable", model=name, error=str(error), context=error.context)
        return ModelEntry(name=name, state="unavailable", problem=error.detail)
    return ModelEntry(
        name=name,
        state="available",
        version=resolved.version,
        signature=resolved.signature,
        input_size=resolved.input_size,
        channels=resolved.channels,
        dtype=resolved.dtype,
        class_count=resolved.class_count,
        labels=resolved.labels,
    )


class Publisher(Protocol):
    """Where the catalogue is published."""

    def publish(self, entries: Iterable[ModelEntry], *, worker: str) -> None:
        """Replace this worker's entries, and with them say that the worker is alive."""


def keep_house(
    *,
    worker: str,
    models: Mapping[str, Served],
    catalogue: Publisher,
    sweep: Callable[[], object],
    catalogue_interval_s: float,
    sweep_interval_s: float,
    stop: threading.Event,
) -> None:
    """Publish and sweep until ``stop`` is set.

    A model server that hangs holds up the catalogue, never the sweep: they run in two threads.
    """

    def publish() -> None:
        catalogue.publish(entries_of(models), worker=worker)

    publishing = threading.Thread(
        target=repeat,
        args=(publish,),
        kwargs={"every_s": catalogue_interval_s, "stop": stop},
        name="catalogue",
        daemon=True,
    )
    publishing.start()
    repeat(sweep, every_s=sweep_interval_s, stop=stop)
    publishing.join(timeout=RESOLVE_TIMEOUT_S)
