"""Work that several jobs need is done once, and no job is lost by that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support.records import REQUEST, Bench
from tests.support.shared_work import WORK, claimed, due, joined, now, picture, succeed, types
from worker.jobs.blobs import Blobs
from worker.jobs.errors import ErasedJob, NotClaimable, StaleClaim
from worker.jobs.job import Failure, JobRef, Progress, Webhook
from worker.jobs.store import Claim

pytestmark = pytest.mark.integration

LATER = Failure(type="predictor-unavailable", title="t", detail="d", stage="s", retryable=True)
ALIKE = Failure(type="image-too-uniform", title="t", detail="d", stage="s", retryable=False)


# --- follow ---


def test_one_leads_and_the_others_follow_in_nobodys_hands(bench: Bench) -> None:
    joined(bench, "leads")
    follower = joined(bench, "follows")
    job = now(bench, follower)
    assert (job.status, job.progress.stage, job.attempts) == ("processing", "following", 0)
    assert (job.lease_until, job.worker) == (None, None)
    with pytest.raises(StaleClaim):
        bench.store.renew(follower, lease_s=30)


def test_the_result_of_the_leader_is_that_of_its_followers(bench: Bench, blobs: Blobs) -> None:
    leader = joined(bench, "leads")
    followers = [joined(bench, "follows", retention_s=60 * (one + 1)) for one in range(3)]
    succeed(bench, blobs, leader)
    for place, follower in enumerate(followers):
        job = now(bench, follower)
        assert (job.status, job.computed_by) == ("succeeded", leader.job.ref.id)
        assert job.progress == Progress(stage="done", samples_done=64, samples_limit=100)
        assert picture(blobs, job) == b"picture"
        assert job.expires_at is not None
        assert job.finished_at is not None
        assert job.expires_at - job.finished_at == pytest.approx(60 * (place + 1), abs=1e-3)
        assert types(bench, follower) == ["queued", "processing", "progress", "succeeded"]
    assert now(bench, leader).computed_by is None


def test_a_shared_result_says_that_it_cost_nothing_but_the_wait(bench: Bench, blobs: Blobs) -> None:
    leader = joined(bench, "leads")
    follower = joined(bench, "follows")
    succeed(bench, blobs, leader)
    result = now(bench, follower).result
    assert result is not None
    assert result["samples"] == {"used": 64, "model_calls": 0, "images_scored": 0}
    assert result["timings"]["predict_s"] == 0.0
    assert 0 <= result["timings"]["queued_s"] < 5
    own = now(bench, leader).result
    assert own is not None
    assert own["samples"]["model_calls"] == 5


def test_each_follower_calls_its_own_webhook(bench: Bench, blobs: Blobs) -> None:
    leader = joined(bench, "leads")
    asked = replace(REQUEST, webhook=Webhook(url="https://a.example"))
    follower = joined(bench, "follows", request=asked)
    succeed(bench, blobs, leader)
    ref = follower.job.ref
    deliveries = bench.client.zrange(bench.keys.deliveries, 0, -1)
    assert set(deliveries) == {f"{ref}#processing".encode(), f"{ref}#succeeded".encode()}
    assert bench.client.hget(bench.keys.outbox(ref), "url") == b"https://a.example"


def test_a_kept_result_is_reused_and_no_work_is_done(bench: Bench, blobs: Blobs) -> None:
    leader = joined(bench, "leads")
    succeed(bench, blobs, leader)
    late = joined(bench, "reuses")
    job = now(bench, late)
    assert (job.status, job.computed_by, job.attempts) == ("succeeded", leader.job.ref.id, 0)
    assert picture(blobs, job) == b"picture"
    with pytest.raises(StaleClaim):
        bench.store.succeed(late, {})


def test_another_work_or_another_tenants_is_not_shared(bench: Bench, blobs: Blobs) -> None:
    leader = joined(bench, "leads")
    assert bench.store.join(claimed(bench), "cd" * 32) == "leads"
    theirs = claimed(bench, bench.create(JobRef.new("umbrella")).ref)
    assert bench.store.join(theirs, WORK) == "leads"
    succeed(bench, blobs, leader)
    assert now(bench, theirs).status == "processing"
    assert bench.store.join(claimed(bench, bench.create(JobRef.new("acme")).ref), WORK) == "leads"


def test_who_works_alone_neither_shares_nor_keeps_others_waiting(
    bench: Bench, blobs: Blobs
) -> None:
    leader = joined(bench, "leads")
    follower = joined(bench, "follows")
    assert bench.store.join(leader, None) == "leads"
    assert now(bench, follower).status == "queued"
    succeed(bench, blobs, leader)
    assert bench.store.join(claimed(bench, follower.job.ref), WORK) == "leads"


# --- the leader ends otherwise ---

LOSSES: dict[str, Callable[[Bench, Claim], object]] = {
    "canceled": lambda bench, claim: bench.store.cancel(claim),
    "failed, retryable": lambda bench, claim: bench.store.fail(claim, LATER),
    "failed, its own fault": lambda bench, claim: bench.store.fail(
        claim, replace(ALIKE, type="internal")
    ),
    "version gone": lambda bench, claim: bench.store.fail(
        claim, replace(ALIKE, type="model-version-gone")
    ),
    "failed, may pass": lambda bench, claim: bench.store.fail(
        claim, replace(ALIKE, type="predictor-rejected", retryable=True)
    ),
    "needs another work": lambda bench, claim: bench.store.join(claim, "cd" * 32),
    "given back": lambda bench, claim: bench.store.give_back(
        claim, delay_s=60, waiting_for="memory", counts_as_attempt=True
    ),
    "discarded": lambda bench, claim: bench.store.discard(claim.job.ref),
    "erased": lambda bench, claim: bench.store.erase(claim.job.ref),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_followers_of_a_leader_that_brings_no_result_are_queued_and_one_of_them_leads(
    bench: Bench, blobs: Blobs, loss: str
) -> None:
    leader = joined(bench, "leads")
    followers = [joined(bench, "follows") for _ in range(3)]
    LOSSES[loss](bench, leader)
    for follower in followers:
        job = now(bench, follower)
        assert (job.status, job.attempts, job.error, job.started_at) == ("queued", 0, None, None)
    refs = {follower.job.ref for follower in followers}
    assert due(bench) == refs

    heir, *others = (claimed(bench, ref) for ref in refs)
    assert bench.store.join(heir, WORK) == "leads"
    for other in others:
        assert bench.store.join(other, WORK) == "follows"
    succeed(bench, blobs, heir)
    assert {now(bench, follower).status for follower in followers} == {"succeeded"}


def test_a_failure_that_lies_in_the_work_is_that_of_all(bench: Bench) -> None:
    leader = joined(bench, "leads")
    follower = joined(bench, "follows")
    bench.store.fail(leader, ALIKE)
    job = now(bench, follower)
    assert (job.status, job.error) == ("failed", ALIKE)
    assert types(bench, follower)[-1] == "failed"
    assert joined(bench, "leads").job.ref  # A failure is not kept for those who come later.


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_leader_whose_worker_was_lost_leaves_its_followers_no_worse(
    bench: Bench, blobs: Blobs, attempts: int
) -> None:
    leader = joined(bench, "leads")
    bench.client.hset(bench.keys.job(leader.job.ref), "attempts", attempts)
    follower = joined(bench, "follows")
    bench.run_out(leader.job.ref, "lease")
    if attempts == 3:
        with pytest.raises(NotClaimable, match="worker-lost"):
            claimed(bench, leader.job.ref)
    else:
        again = claimed(bench, leader.job.ref)
    assert now(bench, follower).status == "queued"
    heir = claimed(bench, follower.job.ref)
    assert bench.store.join(heir, WORK) == "leads"
    if attempts == 1:
        assert bench.store.join(again, WORK) == "follows"
    succeed(bench, blobs, heir)
    expected = "succeeded" if attempts == 1 else "failed"
    assert now(bench, leader).status == expected


def test_who_comes_after_a_leader_was_lost_leads_those_who_followed(
    bench: Bench, blobs: Blobs
) -> None:
    lost = joined(bench, "leads")
    follower = joined(bench, "follows")
    bench.run_out(lost.job.ref, "lease")
    heir = joined(bench, "leads")
    succeed(bench, blobs, heir)
    assert now(bench, follower).computed_by == heir.job.ref.id
    assert bench.store.join(claimed(bench, lost.job.ref), WORK) == "reuses"


# --- the follower ---


def test_a_follower_is_looked_at_when_its_leaders_lease_ends_and_left_in_peace_until(
    bench: Bench,
) -> None:
    leader = joined(bench, "leads")
    follower = joined(bench, "follows").job.ref
    until = now(bench, leader).lease_until
    assert bench.client.zscore(bench.keys.attention, str(follower)) == until
    bench.neglect(follower)
    assert due(bench) == {follower}
    bench.store.mark_published(follower)
    before = bench.store.events(follower)
    with pytest.raises(NotClaimable, match="held"):
        claimed(bench, follower)
    assert due(bench) == set()
    assert bench.store.events(follower) == before
    # A message that led nowhere is repeated ever more seldom; this one led somewhere.
    assert bench.client.hget(bench.keys.job(follower), "publishes") == b"0"


def test_a_follower_whose_leader_vanished_with_its_record_does_the_work(
    bench: Bench, blobs: Blobs
) -> None:
    leader = joined(bench, "leads")
    first, second = (joined(bench, "follows") for _ in range(2))
    bench.client.delete(bench.keys.job(leader.job.ref))
    heir = claimed(bench, first.job.ref)
    assert bench.store.join(heir, WORK) == "leads"
    succeed(bench, blobs, heir)
    assert now(bench, second).status == "succeeded"


@pytest.mark.parametrize("how", ["request_cancel", "discard", "erase"])
def test_a_follower_that_leaves_takes_nobody_along(bench: Bench, blobs: Blobs, how: str) -> None:
    leader = joined(bench, "leads")
    gone, other = (joined(bench, "follows") for _ in range(2))
    getattr(bench.store, how)(gone.job.ref)
    if how == "erase":
        with pytest.raises(ErasedJob):
            now(bench, gone)
    else:
        assert now(bench, gone).status == "canceled"
    assert now(bench, leader).cancel_requested is False
    succeed(bench, blobs, leader)
    assert now(bench, other).status == "succeeded"
    if how != "erase":
        assert now(bench, gone).result is None


def test_waiting_for_others_is_no_attempt_however_often(bench: Bench) -> None:
    follower = bench.create().ref
    for _ in range(5):
        leader = joined(bench, "leads")
        assert bench.store.join(claimed(bench, follower), WORK) == "follows"
        bench.store.cancel(leader)
    assert claimed(bench, follower).job.attempts == 1


def test_many_followers_end_in_two_steps(bench: Bench, blobs: Blobs) -> None:
    leader = joined(bench, "leads")
    followers = [joined(bench, "follows") for _ in range(203)]
    succeed(bench, blobs, leader)
    ends = [now(bench, follower).status for follower in followers]
    assert ends == ["succeeded"] * 200 + ["queued"] * 3
    last = claimed(bench, followers[-1].job.ref)
    assert bench.store.join(last, WORK) == "reuses"
