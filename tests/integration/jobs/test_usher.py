"""Jobs that wait for their model are called when it is free for them."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.support.records import Bench
from worker.jobs.errors import QueueUnavailable
from worker.jobs.job import JobRef, QueueName
from worker.jobs.usher import Usher

pytestmark = pytest.mark.integration


@dataclass
class FakeQueue:
    published: list[tuple[JobRef, QueueName, bool]] = field(default_factory=list)
    away: bool = False

    def publish(self, ref: JobRef, queue_name: QueueName, *, is_called: bool = False) -> None:
        if self.away:
            raise QueueUnavailable("away")
        self.published.append((ref, queue_name, is_called))


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def usher(bench: Bench, queue: FakeQueue) -> Usher:
    return Usher(bench.store, queue)


def waiting(bench: Bench) -> JobRef:
    """A bulk job that was given back for a long time."""
    claim = bench.store.claim(bench.create(queue="bulk").ref, worker="w", lease_s=30)
    bench.store.give_back(claim, delay_s=60, waiting_for="model-busy", counts_as_attempt=False)
    return claim.job.ref


def test_a_waiting_job_is_published_before_all_others_and_can_be_claimed(
    bench: Bench, usher: Usher, queue: FakeQueue
) -> None:
    ref = waiting(bench)
    assert usher.call(ref)
    assert queue.published == [(ref, "bulk", True)]
    assert bench.store.claim(ref, worker="w", lease_s=30).job.attempts == 1


def test_a_job_that_is_in_hands_asks_for_itself(
    bench: Bench, usher: Usher, queue: FakeQueue
) -> None:
    ref = bench.create().ref
    bench.store.claim(ref, worker="w", lease_s=30)
    assert usher.call(ref)
    assert queue.published == []


def test_a_job_that_has_ended_or_is_erased_is_not_waited_for(bench: Bench, usher: Usher) -> None:
    canceled, erased = waiting(bench), waiting(bench)
    bench.store.request_cancel(canceled)
    bench.store.erase(erased)
    assert [usher.call(ref) for ref in (canceled, erased)] == [False, False]


def test_while_the_queue_is_away_the_sweeper_publishes_what_was_called(
    bench: Bench, usher: Usher, queue: FakeQueue
) -> None:
    ref = waiting(bench)
    queue.away = True
    assert usher.call(ref)
    bench.neglect(ref)
    assert [due.ref for due in bench.store.due(limit=10)] == [ref]
    assert bench.store.claim(ref, worker="w", lease_s=30).job.ref == ref
