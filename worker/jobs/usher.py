"""Calls a job to the seat at its model that is kept for it."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from worker.jobs.errors import QueueUnavailable
from worker.jobs.job import JobRef
from worker.jobs.queue import Queue
from worker.jobs.store import Store

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Usher:
    """Has waiting jobs claimed at once."""

    store: Store
    queue: Queue

    def call(self, ref: JobRef) -> bool:
        """Publish a job that waits; False if it has ended, so that the seat is for another.

        Raises
        ------
        StoreUnavailable
        """
        hastened = self.store.hasten(ref)
        if hastened.queue is not None:
            try:
                self.queue.publish(ref, hastened.queue, is_called=True)
            except QueueUnavailable as error:
                log.warning("the job that is called will be published later", error=str(error))
            else:
                self.store.mark_published(ref)
        return hastened.is_open
