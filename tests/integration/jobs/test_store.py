"""A job from its creation to its end, as those see it who create it and poll it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import redis

from tests.support.records import IMAGE, REQUEST, Bench
from worker.jobs.errors import ErasedJob, JobExists, StaleClaim, UnknownJob
from worker.jobs.job import Failure, JobRef, Progress
from worker.jobs.store import Store

pytestmark = pytest.mark.integration

FAILURE = Failure(
    type="predictor-unavailable",
    title="The model server is unavailable",
    detail="Try again.",
    stage="sampling",
    retryable=True,
    grpc_status="UNAVAILABLE",
)


def test_a_new_job_is_queued_with_everything_that_was_asked(bench: Bench) -> None:
    job = bench.create(queue="bulk", deadline_s=90, retention_s=120)
    assert (job.status, job.queue, job.request, job.image) == ("queued", "bulk", REQUEST, IMAGE)
    assert job.deadline_at == pytest.approx(job.created_at + 90, abs=1e-5)
    assert (job.retention_s, job.fence, job.attempts, job.schema_version) == (120, 0, 0, 1)
    assert not job.cancel_requested
    assert (job.started_at, job.published_at, job.lease_until, job.result) == (None,) * 4
    assert job.progress == Progress()


def test_times_are_those_of_the_redis_clock(bench: Bench, client: redis.Redis) -> None:
    before = client.time()
    created_at = bench.create().created_at
    after = client.time()
    assert before[0] + before[1] / 1e6 - 1e-6 <= created_at <= after[0] + after[1] / 1e6


def test_what_create_returns_is_what_get_reads(bench: Bench) -> None:
    job = bench.create()
    assert bench.store.get(job.ref) == job


def test_the_record_names_every_field_that_later_versions_need(
    bench: Bench, client: redis.Redis
) -> None:
    ref = bench.create().ref
    fields = {name.decode() for name in client.hkeys(bench.keys.job(ref))}
    assert fields >= {
        "schema_version", "tenant", "queue", "deadline_at", "fence", "attempts",
        "cancel_requested", "image", "retention_s", "status",
    }  # fmt: skip
    bench.store.claim(ref, worker="w", lease_s=30)
    assert client.hexists(bench.keys.job(ref), "lease_until")


def test_creating_the_same_job_again_changes_nothing(bench: Bench) -> None:
    job = bench.create()
    before = bench.dump()
    assert bench.create(job.ref) == job
    assert bench.dump() == before


def test_another_job_under_the_same_id_is_refused(bench: Bench) -> None:
    job = bench.create()
    with pytest.raises(JobExists):
        bench.create(job.ref, image=replace(IMAGE, width=1))


def test_an_unknown_job_is_unknown(store: Store) -> None:
    with pytest.raises(UnknownJob):
        store.get(JobRef.new())


def test_another_tenant_does_not_see_a_job_nor_its_tombstone(bench: Bench) -> None:
    ref = bench.create(JobRef.new("acme")).ref
    other = JobRef("umbrella", ref.id)
    for _ in range(2):
        with pytest.raises(UnknownJob):
            bench.store.get(other)
        with pytest.raises(UnknownJob):
            bench.store.claim(other, worker="w", lease_s=1)
        bench.store.erase(ref)


def test_every_key_of_a_job_carries_its_tenant(bench: Bench, client: redis.Redis) -> None:
    ref = bench.create(JobRef.new("acme")).ref
    keys = bench.keys
    assert {key.decode() for key in client.scan_iter("*acme*")} == {
        keys.job(ref), keys.events(ref), keys.open("acme"), keys.jobs("acme")
    }  # fmt: skip


def test_a_job_succeeds_with_its_result(bench: Bench) -> None:
    ref = bench.create(retention_s=600).ref
    claim = bench.store.claim(ref, worker="w1", lease_s=30)
    bench.store.report(claim, Progress(stage="sampling", samples_done=64, samples_limit=100))
    assert bench.store.get(ref).progress.samples_done == 64
    bench.store.succeed(claim, {"warnings": [], "hidden_score": {"285": 0.02}})
    job = bench.store.get(ref)
    assert (job.status, job.is_terminal, job.worker) == ("succeeded", True, "w1")
    assert job.result == {"warnings": [], "hidden_score": {"285": 0.02}}
    assert job.progress == Progress(stage="done", samples_done=64, samples_limit=100)
    assert job.finished_at is not None
    assert job.expires_at == pytest.approx(job.finished_at + 600, abs=1e-5)
    assert job.lease_until is None


def test_a_job_fails_with_its_reason_and_keeps_its_stage(bench: Bench) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
    bench.store.report(claim, Progress(stage="sampling", samples_done=1, samples_limit=2))
    bench.store.fail(claim, FAILURE)
    job = bench.store.get(claim.job.ref)
    assert (job.status, job.error, job.progress.stage) == ("failed", FAILURE, "sampling")


def test_a_canceled_job_has_ended(bench: Bench) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
    bench.store.cancel(claim)
    job = bench.store.get(claim.job.ref)
    assert (job.status, job.cancel_requested) == ("canceled", True)


def test_the_heartbeat_learns_of_a_cancel(bench: Bench) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
    assert bench.store.renew(claim, lease_s=30) is False
    bench.request_cancel(claim.job.ref)
    assert bench.store.renew(claim, lease_s=30) is True


def test_every_transition_leaves_one_event_in_order(bench: Bench) -> None:
    ref = bench.create().ref
    claim = bench.store.claim(ref, worker="w", lease_s=30)
    bench.store.report(claim, Progress(stage="sampling", samples_done=8, samples_limit=9))
    bench.store.give_back(claim, delay_s=0, waiting_for="model", counts_as_attempt=False)
    bench.store.succeed(bench.store.claim(ref, worker="w", lease_s=30), {})
    events = bench.store.events(ref)
    assert [event.type for event in events] == [
        "queued", "processing", "progress", "queued", "processing", "succeeded"
    ]  # fmt: skip
    assert events[2].data == {"stage": "sampling", "samples_done": "8", "samples_limit": "9"}
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert bench.store.events(ref, after=events[3].id) == events[4:]


def test_the_event_stream_is_capped_and_keeps_the_latest(bench: Bench) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
    for done in range(300):
        bench.store.report(claim, Progress(stage="sampling", samples_done=done, samples_limit=300))
    events = bench.store.events(claim.job.ref)
    assert len(events) == 200
    assert events[-1].data["samples_done"] == "299"


def test_an_erased_job_leaves_nothing_but_a_tombstone_of_30_days(
    bench: Bench, client: redis.Redis
) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
    bench.store.succeed(claim, {})
    bench.store.erase(claim.job.ref)
    left = {bench.keys.tombstone(claim.job.ref).encode(), bench.keys.counts.encode()}
    assert set(client.scan_iter()) == left
    assert client.ttl(bench.keys.tombstone(claim.job.ref)) == pytest.approx(30 * 86_400, abs=2)
    with pytest.raises(ErasedJob):
        bench.store.get(claim.job.ref)
    with pytest.raises(ErasedJob):
        bench.store.claim(claim.job.ref, worker="w", lease_s=30)


def test_erasing_a_job_in_hands_makes_its_claim_stale(bench: Bench) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
    bench.store.erase(claim.job.ref)
    with pytest.raises(StaleClaim):
        bench.store.succeed(claim, {})
    with pytest.raises(ErasedJob):
        bench.store.get(claim.job.ref)


def test_erasing_what_never_existed_leaves_no_tombstone(bench: Bench) -> None:
    bench.store.erase(JobRef.new())
    assert bench.dump() == {}


def test_a_poll_is_one_round_trip_and_a_create_too(bench: Bench, client: redis.Redis) -> None:
    ref = bench.create().ref
    client.config_resetstat()
    bench.store.get(ref)
    bench.create()
    calls = {name: stat["calls"] for name, stat in client.info("commandstats").items()}
    assert calls["cmdstat_hgetall"] == 2  # One of them within the script.
    assert calls["cmdstat_evalsha"] == 1
    assert "cmdstat_exists" not in calls or calls["cmdstat_exists"] == 1
