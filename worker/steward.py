"""What one process per worker does beside the pool: publish the model catalogue, sweep.

It is a process of its own because it talks to the model servers: gRPC must not be used before a
fork, and Celery's parent forks a child whenever one has ended. It opens its own connections and
never touches a job that it does not sweep.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Protocol

import structlog

from worker.jobs.catalogue import ModelEntry
from worker.jobs.errors import StoreUnavailable
from worker.serving.errors import PredictorError
from worker.serving.resolved import ResolvedModel
from worker.telemetry.trouble import Trouble

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

RESOLVE_TIMEOUT_S = 5.0
CHECK_TIMEOUT_S = 30.0


class Served(Protocol):
    """A configured model, asked what is served under its name."""

    def resolve(self, version: int | None, *, timeout_s: float) -> ResolvedModel:
        """Return what is served now, or raise a ``PredictorError``."""

    def check(self, *, timeout_s: float) -> list[str]:
        """Return everything that keeps the model from being explained, each with its cure."""

    def doubts(self, *, timeout_s: float) -> list[str]:
        """Return what makes one doubt that it is configured as it should be, or raise as above."""


class Publisher(Protocol):
    """Where the catalogue is published."""

    def publish(self, entries: Iterable[ModelEntry], *, worker: str) -> None:
        """Replace this worker's entries, and with them say that the worker is alive."""


class Watch:
    """One configured model, looked at again and again.

    A signature does not tell whether the outputs are scores, so each version is checked once by
    scoring an image. What is wrong is logged when it changes, not in each round.
    """

    def __init__(self, name: str, model: Served) -> None:
        self._name = name
        self._model = model
        self._checked: int | None = None
        self._problem: str | None = None
        self._doubts: tuple[str, ...] = ()

    def look(self) -> ModelEntry:
        """Return the catalogue's entry of the model as it is now."""
        try:
            resolved = self._model.resolve(None, timeout_s=RESOLVE_TIMEOUT_S)
        except PredictorError as error:
            return self._unavailable(error.detail, context=error.context)
        if resolved.version != self._checked:
            problems = self._model.check(timeout_s=CHECK_TIMEOUT_S)
            if problems:
                return self._unavailable(" ".join(problems))
            try:
                self._doubts = tuple(self._model.doubts(timeout_s=CHECK_TIMEOUT_S))
            except PredictorError as error:
                return self._unavailable(error.detail, context=error.context)
            for doubt in self._doubts:
                log.warning("model in doubt", model=self._name, doubt=doubt)
            log.info("model available", model=self._name, version=resolved.version)
        self._checked, self._problem = resolved.version, None
        return ModelEntry(
            name=self._name,
            state="available",
            version=resolved.version,
            signature=resolved.signature,
            input_size=resolved.input_size,
            channels=resolved.channels,
            dtype=resolved.dtype,
            class_count=resolved.class_count,
            labels=resolved.labels,
            warnings=self._doubts,
        )

    def _unavailable(self, problem: str, *, context: str = "") -> ModelEntry:
        if problem != self._problem:
            log.error("model unavailable", model=self._name, problem=problem, context=context)
        self._checked, self._problem = None, problem
        return ModelEntry(name=self._name, state="unavailable", problem=problem)


class Census:
    """Looks at all models, and publishes each as soon as it is known.

    They are looked at side by side: a server that does not answer must not keep the others out of
    the catalogue. It keeps the entry of the round before until it is known to be away.
    """

    def __init__(self, models: Mapping[str, Served], *, catalogue: Publisher, worker: str) -> None:
        self._watches = [Watch(name, model) for name, model in models.items()]
        self._catalogue = catalogue
        self._worker = worker
        self._entries: dict[str, ModelEntry] = {}

    def take(self) -> None:
        """Look at each model once."""
        with ThreadPoolExecutor(max_workers=16) as pool:
            for look in as_completed([pool.submit(watch.look) for watch in self._watches]):
                entry = look.result()
                self._entries[entry.name] = entry
                self._catalogue.publish(self._entries.values(), worker=self._worker)


def repeat(work: Callable[[], object], *, every_s: float, stop: threading.Event) -> None:
    """Do the work now and again every ``every_s`` seconds, until told to stop.

    An error ends one round, not the process: Redis may be away for a minute, and a mistake in one
    duty must not leave every lost job lying.
    """
    trouble = Trouble(log)
    while True:
        try:
            work()
            trouble.over("the store is back")
        except StoreUnavailable as error:
            trouble.tell("the store is away, trying again", problem=error.problem, error=str(error))
        except Exception:
            log.exception("a round of the steward failed")
        if stop.wait(every_s):
            return


def keep_house(
    *,
    census: Callable[[], object],
    sweep: Callable[[], object],
    census_every_s: float,
    sweep_every_s: float,
    stop: threading.Event,
) -> None:
    """Publish and sweep until ``stop`` is set.

    A model server that hangs holds up the census, never the sweep: they run in two threads.
    """
    counting = threading.Thread(
        target=repeat,
        args=(census,),
        kwargs={"every_s": census_every_s, "stop": stop},
        name="census",
        daemon=True,
    )
    counting.start()
    repeat(sweep, every_s=sweep_every_s, stop=stop)
    counting.join(timeout=RESOLVE_TIMEOUT_S)
