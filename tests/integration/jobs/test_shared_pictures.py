"""Pictures that several jobs show are erased with the last of them, and not before."""

from __future__ import annotations

import pytest

from tests.support.records import Bench
from tests.support.shared_work import joined, now, picture, succeed
from worker.jobs.blobs import Blobs
from worker.jobs.errors import BlobMissing, ErasedJob
from worker.jobs.job import JobRef
from worker.jobs.sweeper import Premises, erase_past_retention, erase_unowned

pytestmark = pytest.mark.integration


class NoQueue:
    def publish(self, ref: JobRef, queue_name: str) -> None:
        raise AssertionError("nothing is to be published")


def swept(bench: Bench, blobs: Blobs) -> int:
    premises = Premises(bench.store, blobs, NoQueue())  # type: ignore[arg-type]
    return erase_past_retention(premises) + erase_unowned(premises)


def test_pictures_stay_until_the_last_job_that_shows_them_is_erased(
    bench: Bench, blobs: Blobs
) -> None:
    leader = joined(bench, "leads")
    follower = joined(bench, "follows")
    succeed(bench, blobs, leader)
    late = joined(bench, "reuses")
    for gone in (leader, follower):
        bench.pass_retention(gone.job.ref)
        swept(bench, blobs)
        with pytest.raises(ErasedJob):
            now(bench, gone)
        assert picture(blobs, now(bench, late)) == b"picture"
    again = joined(bench, "reuses")  # Although the job that made it is gone.
    assert now(bench, again).computed_by == leader.job.ref.id
    shown = now(bench, late)
    for gone in (late, again):
        bench.pass_retention(gone.job.ref)
    swept(bench, blobs)
    with pytest.raises(BlobMissing):
        picture(blobs, shown)
    left = {key for key in bench.dump() if b"tombstone" not in key and b"counts" not in key}
    assert left == set()


def test_a_job_discarded_while_others_show_its_pictures_leaves_nothing_to_sweep(
    bench: Bench, blobs: Blobs
) -> None:
    leader = joined(bench, "leads")
    succeed(bench, blobs, leader)
    late = joined(bench, "reuses")
    ref = leader.job.ref
    bench.store.discard(ref)
    blobs.release(ref, owner=ref)
    bench.store.erase(ref, blobs_may_follow=True)
    bench.client.zadd(bench.keys.unowned, {str(ref): 1.0})
    assert swept(bench, blobs) == 1
    assert swept(bench, blobs) == 0
    assert picture(blobs, now(bench, late)) == b"picture"


@pytest.mark.parametrize("what", ["discarded", "pictures gone"])
def test_a_result_that_is_being_erased_is_not_reused(bench: Bench, blobs: Blobs, what: str) -> None:
    leader = joined(bench, "leads")
    succeed(bench, blobs, leader)
    if what == "discarded":
        bench.store.discard(leader.job.ref)
    else:
        blobs.release(leader.job.ref, owner=leader.job.ref)
    joined(bench, "leads")
