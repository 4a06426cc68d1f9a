"""Who may work on a job, and that nobody else can change it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.records import Bench
from worker.jobs.errors import NotClaimable, StaleClaim
from worker.jobs.job import WORKER_LOST, Failure, Progress
from worker.jobs.store import Claim, Store

pytestmark = pytest.mark.integration

FAILURE = Failure(type="internal", title="t", detail="d", stage="s", retryable=False)
WRITES: dict[str, Callable[[Store, Claim], object]] = {
    "renew": lambda store, claim: store.renew(claim, lease_s=30),
    "report": lambda store, claim: store.report(claim, Progress(stage="fitting")),
    "give_back": lambda store, claim: store.give_back(
        claim, delay_s=0, waiting_for=None, counts_as_attempt=True
    ),
    "succeed": lambda store, claim: store.succeed(claim, {"stale": True}),
    "fail": lambda store, claim: store.fail(claim, FAILURE),
    "cancel": lambda store, claim: store.cancel(claim),
}


def refusal(bench: Bench, claim_or_job: object) -> str:
    with pytest.raises(NotClaimable) as refused:
        bench.store.claim(claim_or_job.ref, worker="late", lease_s=30)
    return refused.value.reason


def test_a_claim_raises_the_fence_and_counts_the_attempt(bench: Bench) -> None:
    job = bench.create()
    claim = bench.store.claim(job.ref, worker="w1", lease_s=30)
    assert (claim.fence, claim.worker, claim.job.attempts, claim.job.status) == (
        1, "w1", 1, "processing",
    )  # fmt: skip
    assert claim.job.started_at is not None
    assert claim.job.lease_until == pytest.approx(claim.job.started_at + 30, abs=1e-5)


def test_a_job_in_hands_is_held(bench: Bench) -> None:
    job = bench.create()
    bench.store.claim(job.ref, worker="w1", lease_s=30)
    assert refusal(bench, job) == "held"


def test_a_job_whose_lease_ran_out_can_be_claimed_by_another(bench: Bench) -> None:
    job = bench.create()
    first = bench.store.claim(job.ref, worker="w1", lease_s=30)
    bench.run_out(job.ref, "lease")
    second = bench.store.claim(job.ref, worker="w2", lease_s=30)
    assert (second.fence, second.job.attempts, second.job.worker) == (first.fence + 1, 2, "w2")
    assert second.job.started_at == first.job.started_at


@pytest.mark.parametrize("write", WRITES)
def test_a_stale_worker_changes_nothing(bench: Bench, write: str) -> None:
    job = bench.create()
    stale = bench.store.claim(job.ref, worker="w1", lease_s=30)
    bench.run_out(job.ref, "lease")
    bench.store.claim(job.ref, worker="w2", lease_s=30)
    before = bench.dump()
    with pytest.raises(StaleClaim):
        WRITES[write](bench.store, stale)
    assert bench.dump() == before


@pytest.mark.parametrize("write", WRITES)
def test_a_worker_that_outlived_its_lease_changes_nothing(bench: Bench, write: str) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w1", lease_s=30)
    bench.run_out(claim.job.ref, "lease")
    before = bench.dump()
    with pytest.raises(StaleClaim):
        WRITES[write](bench.store, claim)
    assert bench.dump() == before


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("ending", ["succeed", "fail", "cancel"])
def test_a_job_that_has_ended_never_changes(bench: Bench, ending: str, write: str) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w1", lease_s=30)
    WRITES[ending](bench.store, claim)
    before = bench.dump()
    with pytest.raises(StaleClaim):
        WRITES[write](bench.store, claim)
    assert refusal(bench, claim.job) == "ended"
    assert bench.dump() == before


@pytest.mark.parametrize("write", WRITES)
def test_a_worker_that_gave_a_job_back_has_lost_it(bench: Bench, write: str) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w1", lease_s=30)
    bench.store.give_back(claim, delay_s=0, waiting_for=None, counts_as_attempt=True)
    before = bench.dump()
    with pytest.raises(StaleClaim):
        WRITES[write](bench.store, claim)
    assert bench.dump() == before


def test_the_fourth_attempt_fails_the_job_as_worker_lost(bench: Bench) -> None:
    job = bench.create()
    for attempt in (1, 2, 3):
        claim = bench.store.claim(job.ref, worker="w", lease_s=30)
        assert claim.job.attempts == attempt
        bench.store.report(claim, Progress(stage="segmenting"))
        bench.run_out(job.ref, "lease")
    assert refusal(bench, job) == "worker-lost"
    ended = bench.store.get(job.ref)
    assert (ended.status, ended.attempts) == ("failed", 3)
    assert ended.error is not None
    assert ended.error.type == WORKER_LOST.type
    assert (ended.error.detail, ended.error.stage) == (WORKER_LOST.detail, "segmenting")
    assert ended.error.grpc_status is None
    assert ended.expires_at is not None
    assert refusal(bench, job) == "ended"


def test_a_job_past_its_deadline_expires_when_it_is_claimed(bench: Bench) -> None:
    job = bench.create()
    bench.run_out(job.ref, "deadline")
    assert refusal(bench, job) == "expired"
    assert bench.store.get(job.ref).status == "expired"


def test_a_job_that_started_before_its_deadline_may_be_taken_over_after_it(bench: Bench) -> None:
    job = bench.create()
    bench.store.claim(job.ref, worker="w1", lease_s=30)
    bench.run_out(job.ref, "deadline")
    bench.run_out(job.ref, "lease")
    assert bench.store.claim(job.ref, worker="w2", lease_s=30).job.status == "processing"


@pytest.mark.parametrize("claimed_before", [False, True])
def test_a_job_to_be_canceled_is_canceled_when_it_is_claimed(
    bench: Bench, claimed_before: bool
) -> None:
    job = bench.create()
    if claimed_before:
        bench.store.claim(job.ref, worker="w1", lease_s=30)
        bench.run_out(job.ref, "lease")
    bench.request_cancel(job.ref)
    assert refusal(bench, job) == "canceled"
    assert bench.store.get(job.ref).status == "canceled"


def test_a_job_given_back_waits_and_says_what_for(bench: Bench) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
    bench.store.give_back(claim, delay_s=60, waiting_for="model", counts_as_attempt=False)
    job = bench.store.get(claim.job.ref)
    assert (job.status, job.waiting_for, job.worker, job.lease_until) == (
        "queued", "model", None, None,
    )  # fmt: skip
    assert job.not_before == pytest.approx(job.created_at + 60, abs=5)
    assert refusal(bench, job) == "not-before"
    bench.run_out(job.ref, "wait")
    again = bench.store.claim(job.ref, worker="w", lease_s=30)
    assert (again.job.not_before, again.job.waiting_for) == (None, None)
    assert again.fence == claim.fence + 1


def test_giving_back_for_no_fault_is_no_attempt_however_often(bench: Bench) -> None:
    ref = bench.create().ref
    for _ in range(10):
        claim = bench.store.claim(ref, worker="w", lease_s=30)
        assert claim.job.attempts == 1
        bench.store.give_back(claim, delay_s=0, waiting_for=None, counts_as_attempt=False)
    job = bench.store.get(ref)
    assert (job.attempts, job.started_at, job.fence) == (0, None, 10)


def test_giving_back_for_a_fault_counts_until_the_job_fails(bench: Bench) -> None:
    job = bench.create()
    for _ in range(3):
        claim = bench.store.claim(job.ref, worker="w", lease_s=30)
        bench.store.give_back(claim, delay_s=0, waiting_for="memory", counts_as_attempt=True)
    assert refusal(bench, job) == "worker-lost"


def test_a_renewed_lease_is_longer(bench: Bench) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=1)
    bench.store.renew(claim, lease_s=100)
    until = bench.store.get(claim.job.ref).lease_until
    assert until is not None
    assert claim.job.lease_until is not None
    assert until > claim.job.lease_until + 90
