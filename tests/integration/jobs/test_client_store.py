"""What an owner does with jobs besides submitting them: list, follow, cancel, erase."""

from __future__ import annotations

from dataclasses import replace

import pytest
import redis

from tests.support.records import REQUEST, Bench
from worker.jobs.blobs import open_blobs
from worker.jobs.errors import ErasedJob, JobEnded, StaleClaim, UnknownJob
from worker.jobs.job import Job, JobRef, Progress, artifact_key
from worker.jobs.listing import Position

pytestmark = pytest.mark.integration


def types(bench: Bench, ref: JobRef) -> list[str]:
    return [event.type for event in bench.store.events(ref)]


def ids(jobs: tuple[Job, ...]) -> list[str]:
    return [job.ref.id for job in jobs]


# --- cancel ---------------------------------------------------------------------------------------


def test_a_queued_job_is_canceled_at_once(bench: Bench) -> None:
    ref = bench.create().ref
    assert bench.store.request_cancel(ref).status == "canceled"
    assert bench.store.get(ref).expires_at is not None
    assert types(bench, ref) == ["queued", "canceled"]


def test_a_running_job_is_told_to_its_worker_and_goes_on_until_then(bench: Bench) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
    for _ in range(2):
        asked = bench.store.request_cancel(claim.job.ref)
        assert (asked.status, asked.cancel_requested) == ("processing", True)
    assert bench.store.renew(claim, lease_s=30)
    bench.store.cancel(claim)
    assert types(bench, claim.job.ref) == ["queued", "processing", "canceled"]


def test_a_job_whose_worker_was_lost_is_canceled_at_once(bench: Bench) -> None:
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
    bench.run_out(claim.job.ref, "lease")
    assert bench.store.request_cancel(claim.job.ref).status == "canceled"
    with pytest.raises(StaleClaim):
        bench.store.succeed(claim, {})


@pytest.mark.parametrize("status", ["succeeded", "canceled", "expired"])
def test_a_job_that_has_ended_cannot_be_canceled(bench: Bench, status: str) -> None:
    ref = bench.create().ref
    if status == "succeeded":
        bench.store.succeed(bench.store.claim(ref, worker="w", lease_s=30), {})
    elif status == "canceled":
        bench.store.request_cancel(ref)
    else:
        bench.run_out(ref, "deadline")
        bench.store.expire_overdue(limit=1)
    before = bench.dump()
    with pytest.raises(JobEnded):
        bench.store.request_cancel(ref)
    assert bench.dump() == before


def test_unknown_and_erased_jobs_are_told_apart_by_every_wish(bench: Bench) -> None:
    erased = bench.create().ref
    bench.store.erase(erased)
    for wish in (bench.store.request_cancel, bench.store.discard):
        with pytest.raises(UnknownJob):
            wish(JobRef.new())
        with pytest.raises(ErasedJob):
            wish(erased)


# --- erase ----------------------------------------------------------------------------------------


def test_discarding_a_running_job_ends_it_and_shuts_its_worker_out(bench: Bench) -> None:
    claim = bench.store.claim(bench.create(retention_s=600).ref, worker="w", lease_s=30)
    bench.store.discard(claim.job.ref)
    with pytest.raises(StaleClaim):
        bench.store.report(claim, Progress(stage="sampling"))
    assert bench.store.get(claim.job.ref).status == "canceled"


def test_what_was_discarded_and_then_left_is_erased_by_the_sweeper(bench: Bench) -> None:
    ref = bench.create(retention_s=600).ref
    bench.store.discard(ref)
    assert bench.store.past_retention(limit=9) == [ref]


def test_pictures_stored_after_their_job_was_erased_are_found(
    bench: Bench, client: redis.Redis
) -> None:
    blobs = open_blobs("redis:", client)
    claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)
    ref = claim.job.ref
    bench.store.discard(ref)
    blobs.release(ref, owner=ref)
    bench.store.erase(ref, blobs_may_follow=True)
    blobs.put(artifact_key(ref, claim.fence, "segments.png"), b"late")
    assert bench.store.unowned(older_than_s=0, limit=9) == [ref]
    blobs.release(ref, owner=ref)
    assert set(bench.dump()) == {bench.keys.tombstone(ref).encode(), bench.keys.counts.encode()}


# --- list -----------------------------------------------------------------------------------------


def test_jobs_are_listed_newest_first_in_pages_that_miss_none(bench: Bench) -> None:
    made = [bench.create().ref.id for _ in range(7)]
    pages, after = [], None
    while True:
        page = bench.store.page("default", limit=3, after=after)
        pages.append(ids(page.jobs))
        if page.next is None:
            break
        after = page.next
    assert pages == [made[6:3:-1], made[3:0:-1], made[0:1]]


def test_jobs_of_the_same_moment_are_all_listed_once(bench: Bench, client: redis.Redis) -> None:
    made = {bench.create().ref.id for _ in range(5)}
    client.zadd(bench.keys.jobs("default"), dict.fromkeys(made, 1000.5))
    found, after = [], None
    while (page := bench.store.page("default", limit=2, after=after)).jobs:
        found += ids(page.jobs)
        after = page.next or Position(0.0, "")
    assert sorted(found) == sorted(made)


def test_a_job_that_arrives_meanwhile_does_not_shift_the_next_page(bench: Bench) -> None:
    first, second = (bench.create().ref.id for _ in range(2))
    page = bench.store.page("default", limit=1)
    bench.create()
    assert ids(page.jobs) == [second]
    assert ids(bench.store.page("default", limit=1, after=page.next).jobs) == [first]


def test_jobs_are_filtered_by_status_and_model(bench: Bench) -> None:
    waiting = bench.create().ref
    other = bench.create(request=replace(REQUEST, model="resnet")).ref
    done = bench.create().ref
    bench.store.succeed(bench.store.claim(done, worker="w", lease_s=30), {"warnings": []})

    def listed(**filters: str) -> list[str]:
        return ids(bench.store.page("default", limit=9, **filters).jobs)  # type: ignore[arg-type]

    assert listed(status="queued") == [other.id, waiting.id]
    assert listed(status="succeeded") == [done.id]
    assert listed(model="resnet") == [other.id]
    assert listed(model="resnet", status="succeeded") == []


def test_a_filter_that_hardly_anything_passes_ends_a_page_early(
    bench: Bench, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.jobs.listing.LOOKED_AT", 100)
    rare = bench.create(request=replace(REQUEST, model="resnet")).ref.id
    for _ in range(120):
        bench.create()
    first = bench.store.page("default", model="resnet", limit=5)
    assert first.jobs == ()
    assert first.next is not None
    second = bench.store.page("default", model="resnet", limit=5, after=first.next)
    assert (ids(second.jobs), second.next) == ([rare], None)


def test_a_tenant_lists_its_own_jobs_and_not_those_erased(bench: Bench) -> None:
    ours = bench.create(JobRef.new("acme")).ref
    bench.create(JobRef.new("umbrella"))
    bench.store.erase(bench.create(JobRef.new("acme")).ref)
    assert ids(bench.store.page("acme", limit=9).jobs) == [ours.id]


def test_a_listed_job_is_the_job_without_its_result(bench: Bench) -> None:
    ref = bench.create().ref
    claim = bench.store.claim(ref, worker="w", lease_s=30)
    bench.store.succeed(claim, {"warnings": ["much"]})
    (listed,) = bench.store.page("default", limit=1).jobs
    whole = bench.store.get(ref)
    assert listed.result is None
    unlisted = {"result": None, "worker": None, "published_at": None}
    assert listed == replace(whole, **unlisted)


# --- follow ---------------------------------------------------------------------------------------


def test_news_are_those_events_that_came_after_what_is_known(bench: Bench) -> None:
    quiet, lively, erased = (bench.create().ref for _ in range(3))
    known = {ref: bench.store.events(ref)[-1].id for ref in (quiet, lively, erased)}
    bench.store.claim(lively, worker="w", lease_s=30)
    bench.store.erase(erased)
    news = bench.store.news(known)
    assert set(news) == {lively, erased}
    assert news[erased] is None
    assert [event.type for event in news[lively] or ()] == ["processing"]
    assert [event.type for event in bench.store.news({quiet: "0"})[quiet] or ()] == ["queued"]
