"""What the sweeper finds: jobs that need a message, came too late, or were kept long enough."""

from __future__ import annotations

import time

import pytest
import redis

from tests.support.records import Bench
from worker.jobs.job import JobRef
from worker.jobs.store import Due, Store

pytestmark = pytest.mark.integration


def due(bench: Bench) -> list[JobRef]:
    return [ref for ref, _ in bench.store.due(limit=100)]


def test_a_new_job_is_left_to_its_creator_for_a_moment(bench: Bench) -> None:
    ref = bench.create().ref
    assert due(bench) == []
    after_s = bench.client.zscore(bench.keys.attention, str(ref)) - time.time()
    assert 3 < after_s <= 5


def test_a_job_that_was_never_published_is_due_with_its_queue(bench: Bench) -> None:
    ref = bench.create(queue="bulk").ref
    bench.neglect(ref)
    assert bench.store.due(limit=100) == [Due(ref, "bulk")]


def test_a_published_job_is_not_due(bench: Bench) -> None:
    ref = bench.create().ref
    bench.neglect(ref)
    bench.store.mark_published(ref)
    assert due(bench) == []
    assert bench.store.get(ref).published_at is not None


def test_a_message_that_led_nowhere_is_repeated_ever_more_seldom(bench: Bench) -> None:
    ref = bench.create().ref
    waits = []
    for _ in range(8):
        bench.store.mark_published(ref)
        waits.append(bench.client.zscore(bench.keys.attention, str(ref)) - time.time())
    assert waits == pytest.approx([30, 60, 120, 240, 480, 900, 900, 900], abs=2)


def test_a_job_in_hands_is_due_once_its_lease_has_run_out(bench: Bench) -> None:
    ref = bench.create().ref
    claim = bench.store.claim(ref, worker="w", lease_s=0.05)
    bench.store.renew(claim, lease_s=0.1)
    assert due(bench) == []
    time.sleep(0.12)
    assert due(bench) == [ref]


def test_a_claim_and_a_renewal_put_off_the_next_look(bench: Bench) -> None:
    ref = bench.create().ref
    bench.neglect(ref)
    claim = bench.store.claim(ref, worker="w", lease_s=0.05)
    assert due(bench) == []
    bench.store.renew(claim, lease_s=30)
    time.sleep(0.06)
    assert due(bench) == []


def test_the_schedule_of_deadlines_is_a_hint_and_the_record_decides(bench: Bench) -> None:
    ref = bench.create().ref
    bench.client.zadd(bench.keys.deadlines, {str(ref): 1.0})
    assert bench.store.expire_overdue(limit=10) == []
    assert bench.store.get(ref).status == "queued"


def test_publishing_again_does_not_touch_a_job_in_hands(bench: Bench) -> None:
    ref = bench.create().ref
    bench.store.claim(ref, worker="w", lease_s=30)
    before = bench.dump()
    bench.store.mark_published(ref)
    assert bench.dump() == before


def test_a_job_whose_lease_ran_out_is_published_once_and_then_left_in_the_queue(
    bench: Bench,
) -> None:
    ref = bench.create().ref
    bench.store.claim(ref, worker="w", lease_s=30)
    bench.run_out(ref, "lease")
    assert due(bench) == [ref]
    bench.store.mark_published(ref)
    assert due(bench) == []


def test_a_job_given_back_is_due_when_its_wait_is_over(bench: Bench) -> None:
    ref = bench.create().ref
    claim = bench.store.claim(ref, worker="w", lease_s=30)
    bench.store.give_back(claim, delay_s=0.1, waiting_for="model", counts_as_attempt=False)
    assert due(bench) == []
    time.sleep(0.12)
    assert due(bench) == [ref]
    # The repetitions start anew: this message is the first of this wait.
    bench.store.mark_published(ref)
    wait_s = bench.client.zscore(bench.keys.attention, str(ref)) - time.time()
    assert wait_s == pytest.approx(30, abs=2)


def test_the_longest_neglected_come_first_and_no_more_than_asked(bench: Bench) -> None:
    refs = [bench.create().ref for _ in range(4)]
    for age, ref in enumerate(refs):
        bench.client.zadd(bench.keys.attention, {str(ref): 10.0 - age})
    assert [ref for ref, _ in bench.store.due(limit=3)] == [refs[3], refs[2], refs[1]]


def test_a_job_that_has_ended_is_never_due(bench: Bench) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
    bench.store.succeed(claim, {})
    assert bench.client.exists(bench.keys.attention) == 0


def test_overdue_jobs_expire_and_others_do_not(bench: Bench) -> None:
    late, early, running = (bench.create().ref for _ in range(3))
    bench.store.claim(running, worker="w", lease_s=30)
    bench.run_out(late, "deadline")
    assert bench.store.expire_overdue(limit=10) == [late]
    statuses = [bench.store.get(ref).status for ref in (late, early, running)]
    assert statuses == ["expired", "queued", "processing"]
    assert [event.type for event in bench.store.events(late)] == ["queued", "expired"]
    assert bench.store.expire_overdue(limit=10) == []


def test_a_job_given_back_may_still_expire(bench: Bench) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
    bench.store.give_back(claim, delay_s=600, waiting_for="model", counts_as_attempt=False)
    bench.run_out(claim.job.ref, "deadline")
    assert bench.store.expire_overdue(limit=10) == [claim.job.ref]


def test_a_job_is_past_retention_no_sooner_than_promised(bench: Bench) -> None:
    claim = bench.store.claim(bench.create(retention_s=600).ref, worker="w", lease_s=30)
    bench.store.succeed(claim, {})
    assert bench.store.past_retention(limit=10) == []
    expires_at = bench.store.get(claim.job.ref).expires_at
    assert bench.client.zscore(bench.keys.retention, str(claim.job.ref)) == expires_at
    bench.pass_retention(claim.job.ref)
    assert bench.store.past_retention(limit=10) == [claim.job.ref]


def test_every_ending_starts_the_retention(bench: Bench) -> None:
    expired, canceled = bench.create().ref, bench.create().ref
    bench.run_out(expired, "deadline")
    bench.store.expire_overdue(limit=10)
    bench.store.cancel(bench.store.claim(canceled, worker="w", lease_s=30))
    scheduled = {member.decode() for member in bench.client.zrange(bench.keys.retention, 0, -1)}
    assert scheduled == {str(expired), str(canceled)}


def test_one_worker_leads_until_its_lease_runs_out(store: Store) -> None:
    assert store.lead(worker="w1", lease_s=0.1)
    assert not store.lead(worker="w2", lease_s=0.1)
    assert store.lead(worker="w1", lease_s=0.1)
    time.sleep(0.15)
    assert store.lead(worker="w2", lease_s=0.1)
    assert not store.lead(worker="w1", lease_s=0.1)


def test_indexes_of_the_tenant_follow_the_job(bench: Bench, client: redis.Redis) -> None:
    ref = bench.create().ref
    member = ref.id.encode()
    assert client.zrange(bench.keys.open("default"), 0, -1) == [member]
    bench.store.succeed(bench.store.claim(ref, worker="w", lease_s=30), {})
    assert client.zrange(bench.keys.open("default"), 0, -1) == []
    assert client.zrange(bench.keys.jobs("default"), 0, -1) == [member]
