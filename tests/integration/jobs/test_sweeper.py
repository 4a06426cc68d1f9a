"""The sweeper's duties, on a real store."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.support.records import Bench
from worker.jobs.blobs import Blobs
from worker.jobs.errors import BlobMissing, ErasedJob, QueueUnavailable
from worker.jobs.job import JobRef, QueueName, artifact_key, upload_key
from worker.jobs.sweeper import BATCH, DUTIES, Sweeper

pytestmark = pytest.mark.integration


@dataclass
class FakeQueue:
    """Remembers what was published; can be away."""

    away: bool = False
    published: list[tuple[JobRef, str]] = field(default_factory=list)

    def publish(self, ref: JobRef, queue_name: QueueName) -> None:
        if self.away:
            raise QueueUnavailable("away")
        self.published.append((ref, queue_name))


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def sweeper(bench: Bench, blobs: Blobs, queue: FakeQueue) -> Sweeper:
    return Sweeper(bench.store, blobs, queue, worker="w1")


def test_an_idle_round_does_nothing(bench: Bench, sweeper: Sweeper, queue: FakeQueue) -> None:
    bench.create()
    assert sweeper.sweep() == dict.fromkeys(DUTIES, 0)
    assert queue.published == []


def test_what_was_never_published_is_published_once(
    bench: Bench, sweeper: Sweeper, queue: FakeQueue
) -> None:
    ref = bench.create(queue="bulk").ref
    bench.neglect(ref)
    assert sweeper.sweep()["republish"] == 1
    assert sweeper.sweep()["republish"] == 0
    assert queue.published == [(ref, "bulk")]


def test_a_job_whose_worker_was_lost_is_published_again(
    bench: Bench, sweeper: Sweeper, queue: FakeQueue
) -> None:
    ref = bench.create().ref
    bench.store.claim(ref, worker="w", lease_s=30)
    bench.run_out(ref, "lease")
    sweeper.sweep()
    assert queue.published == [(ref, "interactive")]
    assert bench.store.claim(ref, worker="w2", lease_s=30).job.attempts == 2


def test_while_the_queue_is_away_jobs_stay_due(
    bench: Bench, sweeper: Sweeper, queue: FakeQueue
) -> None:
    refs = [bench.create().ref for _ in range(2)]
    for ref in refs:
        bench.neglect(ref)
    queue.away = True
    assert sweeper.sweep()["republish"] == 0
    queue.away = False
    assert sweeper.sweep()["republish"] == 2
    assert {ref for ref, _ in queue.published} == set(refs)


def test_a_job_past_its_deadline_expires_and_is_not_published(
    bench: Bench, sweeper: Sweeper, queue: FakeQueue
) -> None:
    ref = bench.create().ref
    bench.neglect(ref)
    bench.run_out(ref, "deadline")
    assert sweeper.sweep() == {**dict.fromkeys(DUTIES, 0), "expire": 1}
    assert bench.store.get(ref).status == "expired"
    assert queue.published == []


def test_past_retention_record_and_blobs_go_and_a_tombstone_stays(
    bench: Bench, blobs: Blobs, sweeper: Sweeper
) -> None:
    gone, kept = bench.create().ref, bench.create().ref
    keys = [upload_key(gone), artifact_key(gone, 1, "overlays/285/signed.png")]
    for key in [*keys, upload_key(kept)]:
        blobs.put(key, b"bytes")
    for ref in (gone, kept):
        bench.store.succeed(bench.store.claim(ref, worker="w", lease_s=30), {})
    bench.pass_retention(gone)
    assert sweeper.sweep()["erase-past-retention"] == 1
    with pytest.raises(ErasedJob):
        bench.store.get(gone)
    for key in keys:
        with pytest.raises(BlobMissing):
            blobs.get(key)
    assert bench.store.get(kept).status == "succeeded"
    assert blobs.get(upload_key(kept)) == b"bytes"
    assert list(bench.client.scan_iter(f"*{gone.id}*")) == [bench.keys.tombstone(gone).encode()]
    assert sweeper.sweep()["erase-past-retention"] == 0


def test_an_erasure_that_was_cut_off_is_finished_by_the_next_round(
    bench: Bench, blobs: Blobs, sweeper: Sweeper
) -> None:
    ref = bench.create().ref
    blobs.put(upload_key(ref), b"bytes")
    bench.store.succeed(bench.store.claim(ref, worker="w", lease_s=30), {})
    bench.pass_retention(ref)
    blobs.release(ref, owner=ref)  # And then the leader was killed.
    assert sweeper.sweep()["erase-past-retention"] == 1
    with pytest.raises(ErasedJob):
        bench.store.get(ref)


def test_blobs_whose_job_was_never_recorded_are_erased_after_an_hour(
    bench: Bench, blobs: Blobs, sweeper: Sweeper
) -> None:
    ref = JobRef.new()
    blobs.put(upload_key(ref), b"bytes")
    assert sweeper.sweep()["erase-unowned"] == 0
    assert blobs.get(upload_key(ref)) == b"bytes"
    bench.client.zadd(bench.keys.unowned, {str(ref): 1.0})
    assert sweeper.sweep()["erase-unowned"] == 1
    with pytest.raises(BlobMissing):
        blobs.get(upload_key(ref))
    assert sweeper.sweep()["erase-unowned"] == 0


def test_only_the_leader_sweeps(
    bench: Bench, blobs: Blobs, sweeper: Sweeper, queue: FakeQueue
) -> None:
    other = Sweeper(bench.store, blobs, queue, worker="w2")
    assert other.sweep() == dict.fromkeys(DUTIES, 0)
    bench.neglect(bench.create().ref)
    assert sweeper.sweep() == {}
    assert queue.published == []
    bench.client.delete(bench.keys.leader)  # The other's lease has run out.
    assert sweeper.sweep()["republish"] == 1


def test_a_mistake_in_one_duty_does_not_keep_the_others_from_being_done(
    bench: Bench, blobs: Blobs, queue: FakeQueue
) -> None:
    def mistake(_: object) -> int:
        raise KeyError("a mistake")

    bench.neglect(bench.create().ref)
    sweeper = Sweeper(bench.store, blobs, queue, worker="w1", duties={"bad": mistake, **DUTIES})
    assert sweeper.sweep()["republish"] == 1


def test_entries_without_a_record_do_not_hide_what_is_due(
    bench: Bench, sweeper: Sweeper, queue: FakeQueue
) -> None:
    lost = {str(JobRef.new()): 1.0 for _ in range(BATCH)}
    bench.client.zadd(bench.keys.attention, lost)
    ref = bench.create().ref
    bench.neglect(ref)
    sweeper.sweep()
    sweeper.sweep()
    assert queue.published == [(ref, "interactive")]


def test_a_further_duty_is_one_entry(bench: Bench, blobs: Blobs, queue: FakeQueue) -> None:
    sweeper = Sweeper(
        bench.store, blobs, queue, worker="w1", duties={**DUTIES, "count": lambda _: 7}
    )
    assert sweeper.sweep()["count"] == 7
