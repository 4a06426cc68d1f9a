from __future__ import annotations

from dataclasses import replace

import pytest

# Its scripts too have to run on the oldest Redis that we support.
from tests.integration.jobs.conftest import redis_server  # noqa: F401
from tests.support.records import REQUEST, Bench
from worker.jobs.errors import NotClaimable
from worker.jobs.job import WORKER_LOST, Job, JobRef, Webhook
from worker.webhooks.outbox import Attempt, Member, NothingToRedeliver, Outbox

pytestmark = pytest.mark.integration

URL = "https://example.org/hook"
TRY = Attempt(at=1795384838.25, took_s=0.1, status_code=500)


def job_with_webhook(bench: Bench, *events: str, **changes: object) -> Job:
    webhook = Webhook(url=URL, events=events) if events else Webhook(url=URL)
    return bench.create(request=replace(REQUEST, webhook=webhook), **changes)


def finished(bench: Bench, *events: str) -> JobRef:
    ref = job_with_webhook(bench, *(events or ("explanation.succeeded",))).ref
    bench.store.succeed(bench.store.claim(ref, worker="w", lease_s=30), {})
    return ref


def make_due(bench: Bench, member: Member) -> None:
    bench.client.zadd(bench.keys.deliveries, {str(member): 1.0}, xx=True)


def events(outbox: Outbox, ref: JobRef) -> list[str]:
    log = outbox.log(ref)
    return [] if log is None else [delivery.event for delivery in log.deliveries]


def test_a_job_without_a_webhook_leaves_nothing(bench: Bench, outbox: Outbox) -> None:
    ref = bench.create().ref
    bench.store.succeed(bench.store.claim(ref, worker="w", lease_s=30), {})
    assert outbox.log(ref) is None
    assert outbox.due(limit=10) == []


def test_start_and_end_are_put_into_the_outbox(bench: Bench, outbox: Outbox) -> None:
    ref = job_with_webhook(bench).ref
    assert outbox.log(ref) is None
    claim = bench.store.claim(ref, worker="w", lease_s=30)
    assert events(outbox, ref) == ["explanation.processing"]
    bench.store.succeed(claim, {})
    log = outbox.log(ref)
    assert log is not None
    assert log.url == URL
    started, ended = log.deliveries
    assert (started.event, ended.event) == ("explanation.processing", "explanation.succeeded")
    assert ended.at == bench.store.get(ref).finished_at
    assert (ended.state, ended.attempts, ended.next_try_at) == ("pending", (), ended.at)
    assert started.id != ended.id


def test_each_way_to_end_tells_its_event(bench: Bench, outbox: Outbox) -> None:
    failed, canceled, expired, never_asked = (job_with_webhook(bench).ref for _ in range(4))
    bench.store.fail(bench.store.claim(failed, worker="w", lease_s=30), WORKER_LOST)
    bench.store.cancel(bench.store.claim(canceled, worker="w", lease_s=30))
    bench.run_out(expired, "deadline")
    bench.store.expire_overdue(limit=10)
    bench.request_cancel(never_asked)
    with pytest.raises(NotClaimable):
        bench.store.claim(never_asked, worker="w", lease_s=30)
    assert [events(outbox, ref)[-1] for ref in (failed, canceled, expired, never_asked)] == [
        "explanation.failed",
        "explanation.canceled",
        "explanation.expired",
        "explanation.canceled",
    ]


def test_only_events_that_were_asked_for_are_told(bench: Bench, outbox: Outbox) -> None:
    assert events(outbox, finished(bench, "explanation.failed")) == []
    assert events(outbox, finished(bench, "explanation.failed", "explanation.succeeded")) == [
        "explanation.succeeded"
    ]


def test_a_second_start_is_not_told_again(bench: Bench, outbox: Outbox) -> None:
    ref = job_with_webhook(bench).ref
    bench.store.claim(ref, worker="killed", lease_s=30)
    first = outbox.log(ref)
    bench.run_out(ref, "lease")
    bench.store.claim(ref, worker="next", lease_s=30)
    assert outbox.log(ref) == first


def test_a_delivery_is_taken_once(bench: Bench, outbox: Outbox) -> None:
    ref = finished(bench)
    [(member, url)] = outbox.due(limit=10)
    assert (member.ref, member.status, url) == (ref, "succeeded", URL)
    parcel = outbox.take(member, lease_s=30)
    assert parcel is not None
    assert (parcel.url, parcel.event, parcel.tries) == (URL, "explanation.succeeded", 0)
    assert outbox.take(member, lease_s=30) is None
    assert outbox.due(limit=10) == []


def test_a_delivery_whose_sender_died_is_due_again_under_the_same_id(
    bench: Bench, outbox: Outbox
) -> None:
    finished(bench)
    [(member, _)] = outbox.due(limit=10)
    first = outbox.take(member, lease_s=30)
    make_due(bench, member)
    second = outbox.take(member, lease_s=30)
    assert first is not None
    assert second is not None
    assert (first.id, first.at) == (second.id, second.at)
    # The first wakes up: what it did is logged, and changes nothing.
    assert not outbox.settle(first, TRY, state="delivered")
    log = outbox.log(member.ref)
    assert log is not None
    assert (log.deliveries[0].state, log.deliveries[0].attempts) == ("pending", (TRY,))


def test_a_failed_try_is_logged_and_due_later(bench: Bench, outbox: Outbox) -> None:
    ref = finished(bench)
    [(member, _)] = outbox.due(limit=10)
    parcel = outbox.take(member, lease_s=30)
    assert parcel is not None
    assert outbox.settle(parcel, TRY, state="pending", delay_s=300)
    assert outbox.due(limit=10) == []
    log = outbox.log(ref)
    assert log is not None
    [delivery] = log.deliveries
    assert delivery.attempts == (TRY,)
    assert delivery.next_try_at is not None
    assert 299 < delivery.next_try_at - delivery.at < 302
    make_due(bench, member)
    again = outbox.take(member, lease_s=30)
    assert again is not None
    assert again.tries == 1


@pytest.mark.parametrize("state", ["delivered", "undeliverable"])
def test_a_delivery_that_is_over_is_not_due_and_stays_in_the_log(
    bench: Bench, outbox: Outbox, state: str
) -> None:
    ref = finished(bench)
    [(member, _)] = outbox.due(limit=10)
    parcel = outbox.take(member, lease_s=30)
    assert parcel is not None
    outbox.settle(parcel, TRY, state=state)
    assert bench.client.zcard(bench.keys.deliveries) == 0
    log = outbox.log(ref)
    assert log is not None
    assert (log.deliveries[0].state, log.deliveries[0].next_try_at) == (state, None)


def test_a_redelivery_is_due_at_once_with_the_same_id_and_all_tries(
    bench: Bench, outbox: Outbox
) -> None:
    ref = finished(bench, "explanation.processing", "explanation.succeeded")
    for member, _ in outbox.due(limit=10):
        parcel = outbox.take(member, lease_s=30)
        assert parcel is not None
        outbox.settle(parcel, TRY, state="undeliverable")
    before = outbox.log(ref)
    assert outbox.redeliver(ref) == "explanation.succeeded"
    [(member, _)] = outbox.due(limit=10)
    again = outbox.take(member, lease_s=30)
    assert before is not None
    assert again is not None
    assert (again.id, again.tries) == (before.deliveries[1].id, 0)
    after = outbox.log(ref)
    assert after is not None
    assert after.deliveries[1].attempts == (TRY,)


def test_a_redelivery_during_a_try_does_not_double_it(bench: Bench, outbox: Outbox) -> None:
    ref = finished(bench)
    [(member, _)] = outbox.due(limit=10)
    assert outbox.take(member, lease_s=30) is not None
    outbox.redeliver(ref)
    assert outbox.due(limit=10) == []


def test_where_nothing_was_told_nothing_is_redelivered(bench: Bench, outbox: Outbox) -> None:
    for ref in (job_with_webhook(bench).ref, bench.create().ref, JobRef.new()):
        with pytest.raises(NothingToRedeliver):
            outbox.redeliver(ref)


def test_an_erased_job_takes_its_outbox_with_it(bench: Bench, outbox: Outbox) -> None:
    ref = finished(bench)
    [(member, _)] = outbox.due(limit=10)
    parcel = outbox.take(member, lease_s=30)
    assert parcel is not None
    bench.store.erase(ref)
    assert outbox.log(ref) is None
    assert not outbox.settle(parcel, TRY, state="pending", delay_s=5)
    assert bench.client.zcard(bench.keys.deliveries) == 0
    assert bench.client.exists(bench.keys.outbox(ref)) == 0


def test_a_delivery_of_an_erased_job_is_dropped_when_it_is_due(
    bench: Bench, outbox: Outbox
) -> None:
    bench.store.erase(finished(bench))
    [(member, url)] = outbox.due(limit=10)
    assert url is None
    assert outbox.take(member, lease_s=30) is None
    assert outbox.due(limit=10) == []


def test_a_delivery_is_put_off_unless_it_is_in_hand_for_longer(
    bench: Bench, outbox: Outbox
) -> None:
    finished(bench)
    finished(bench)
    [(taken, _), (waiting, _)] = outbox.due(limit=10)
    assert outbox.take(taken, lease_s=30) is not None
    lease = bench.client.zscore(bench.keys.deliveries, str(taken))
    outbox.put_off([taken, waiting], delay_s=5)
    assert outbox.due(limit=10) == []
    assert bench.client.zscore(bench.keys.deliveries, str(taken)) == lease


def test_the_log_keeps_the_latest_attempts(bench: Bench, outbox: Outbox) -> None:
    ref = finished(bench)
    [(member, _)] = outbox.due(limit=10)
    for number in range(120):
        parcel = outbox.take(member, lease_s=30)
        assert parcel is not None
        outbox.settle(parcel, replace(TRY, at=float(number)), state="pending", delay_s=0)
    log = outbox.log(ref)
    assert log is not None
    times = [attempt.at for attempt in log.deliveries[0].attempts]
    assert times == [float(number) for number in range(120 - len(times), 120)]
    assert 50 <= len(times) < 120


def test_all_is_written_while_redis_has_reached_its_memory(bench: Bench, outbox: Outbox) -> None:
    ref = finished(bench)
    [(member, _)] = outbox.due(limit=10)
    bench.client.config_set("maxmemory", 1)
    try:
        parcel = outbox.take(member, lease_s=30)
        assert parcel is not None
        assert outbox.settle(parcel, TRY, state="delivered")
    finally:
        bench.client.config_set("maxmemory", 0)
    log = outbox.log(ref)
    assert log is not None
    assert log.deliveries[0].state == "delivered"
