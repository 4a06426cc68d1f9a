"""The sweeper: looks for jobs that nobody works on, and for what has to go.

Any worker may sweep; one of them is elected by a lease (``Store.lead``). Were there two for a
moment, no harm is done: each duty is a query, then steps that are atomic and may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import structlog

from worker.jobs.blobs import Blobs
from worker.jobs.errors import QueueUnavailable, StoreUnavailable
from worker.jobs.queue import Queue
from worker.jobs.store import Store

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LEAD_S = 5.0
# Jobs that one duty takes on in one round; what is left waits for the next.
BATCH = 100
# Blobs are stored before their job's record. Only a crash leaves them without one for so long, or a
# worker that was still drawing when its job was erased.
UNOWNED_AFTER_S = 600.0


@dataclass(frozen=True, slots=True)
class Premises:
    """What the duties work on."""

    store: Store
    blobs: Blobs
    queue: Queue


def expire(premises: Premises) -> int:
    """End jobs that were still queued at their deadline."""
    return len(premises.store.expire_overdue(limit=BATCH))


def republish(premises: Premises) -> int:
    """Send a message for each job that needs one."""
    sent = 0
    for ref, queue in premises.store.due(limit=BATCH):
        try:
            premises.queue.publish(ref, queue)
        except QueueUnavailable as error:
            # It stays due. Redis carries the queue as well, so the others would fare no better.
            log.warning("the queue is away, jobs stay due", error=str(error))
            break
        premises.store.mark_published(ref)
        sent += 1
    return sent


def erase_past_retention(premises: Premises) -> int:
    """Erase jobs that have been kept for as long as was promised, blobs first."""
    refs = premises.store.past_retention(limit=BATCH)
    for ref in refs:
        premises.blobs.release(ref, owner=ref)
        premises.store.erase(ref)
    return len(refs)


def erase_unowned(premises: Premises) -> int:
    """Erase blobs that were stored for a job which was then never recorded."""
    refs = premises.store.unowned(older_than_s=UNOWNED_AFTER_S, limit=BATCH)
    for ref in refs:
        premises.blobs.release(ref, owner=ref)
    return len(refs)


Duty = Callable[[Premises], int]

# In this order: a job past its deadline is not published once more.
DUTIES: Mapping[str, Duty] = MappingProxyType(
    {
        "expire": expire,
        "republish": republish,
        "erase-past-retention": erase_past_retention,
        "erase-unowned": erase_unowned,
    }
)


class Sweeper:
    """Does all duties, one after another, if its worker leads.

    Parameters
    ----------
    store, blobs, queue
        What the duties work on.
    worker : str
        Who stands for election.
    duties : mapping of str to callable
        Name to duty; each returns how many things it dealt with.
    """

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        queue: Queue,
        *,
        worker: str,
        duties: Mapping[str, Duty] = DUTIES,
    ) -> None:
        self._premises = Premises(store, blobs, queue)
        self._worker = worker
        self._duties = duties

    def sweep(self) -> Mapping[str, int]:
        """Do one round; return what each duty dealt with, nothing if another worker leads.

        Raises
        ------
        StoreUnavailable
            If Redis or the blobs cannot be reached. The next round goes on where this one ended.
        """
        if not self._premises.store.lead(worker=self._worker, lease_s=LEAD_S):
            return {}
        done = {name: self._do(name, duty) for name, duty in self._duties.items()}
        if any(done.values()):
            log.info("swept", **done)
        return done

    def _do(self, name: str, duty: Duty) -> int:
        """Do one duty. A mistake of ours in one must not keep the others from being done."""
        try:
            return duty(self._premises)
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("a duty of the sweeper failed", duty=name)
            return 0
