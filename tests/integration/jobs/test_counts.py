"""What happened to jobs is counted by the transitions themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest
import redis

from tests.support.records import REQUEST, Bench
from worker.jobs.counts import Count, read_counts
from worker.jobs.errors import NotClaimable, StaleClaim
from worker.jobs.job import Failure, JobRef

pytestmark = pytest.mark.integration

MODEL = REQUEST.model
FAILURE = Failure(type="bad-model-output", title="t", detail="d", stage="s", retryable=False)


def counts(client: redis.Redis) -> dict[tuple[str, ...], int]:
    return {(one.what, *one.labels): one.number for one in read_counts(client)}


def claim(bench: Bench, ref: JobRef):
    return bench.store.claim(ref, worker="w", lease_s=30)


def give_back(bench: Bench, held, waiting_for: str | None) -> None:
    bench.store.give_back(held, delay_s=0, waiting_for=waiting_for, counts_as_attempt=False)


def test_each_way_through_the_life_of_a_job_is_counted(bench: Bench, client: redis.Redis) -> None:
    ref = bench.create(queue="bulk").ref
    give_back(bench, claim(bench, ref), "model-busy")
    give_back(bench, claim(bench, ref), None)
    claim(bench, ref)
    bench.run_out(ref, "lease")
    bench.store.fail(claim(bench, ref), FAILURE)
    assert counts(client) == {
        ("created", "bulk", MODEL): 1,
        ("claimed", "first", MODEL): 1,
        ("claimed", "again", MODEL): 2,
        ("claimed", "after-loss", MODEL): 1,
        ("handed-back", "model-busy", MODEL): 1,
        ("handed-back", "shutdown", MODEL): 1,
        ("finished", "failed", "bad-model-output", MODEL): 1,
    }


def test_every_ending_is_counted_under_its_status(bench: Bench, client: redis.Redis) -> None:
    bench.store.succeed(claim(bench, bench.create().ref), {})
    bench.store.request_cancel(bench.create().ref)
    bench.store.discard(bench.create().ref)
    late = bench.create().ref
    bench.run_out(late, "deadline")
    bench.store.expire_overdue(limit=9)
    ended = {key[1:3]: number for key, number in counts(client).items() if key[0] == "finished"}
    assert ended == {("succeeded", ""): 1, ("canceled", ""): 2, ("expired", ""): 1}


def test_jobs_that_follow_are_counted_when_their_leader_ends(
    bench: Bench, client: redis.Redis
) -> None:
    leader = claim(bench, bench.create().ref)
    assert bench.store.join(leader, "work") == "leads"
    for _ in range(3):
        assert bench.store.join(claim(bench, bench.create().ref), "work") == "follows"
    bench.store.succeed(leader, {})
    assert counts(client)["finished", "succeeded", "", MODEL] == 4


def test_a_follower_that_is_taken_up_again_was_not_lost_by_a_worker(
    bench: Bench, client: redis.Redis
) -> None:
    leader = claim(bench, bench.create().ref)
    bench.store.join(leader, "work")
    follower = bench.create().ref
    bench.store.join(claim(bench, follower), "work")
    bench.run_out(leader.job.ref, "lease")
    claim(bench, follower)
    assert ("claimed", "after-loss", MODEL) not in counts(client)
    assert counts(client)["claimed", "again", MODEL] == 1


def test_what_is_refused_is_not_counted(bench: Bench, client: redis.Redis) -> None:
    ref = bench.create().ref
    held = claim(bench, ref)
    bench.store.succeed(held, {})
    before = counts(client)
    with pytest.raises(StaleClaim):
        bench.store.succeed(held, {})
    with pytest.raises(NotClaimable):
        claim(bench, ref)
    assert counts(client) == before


def test_a_model_may_be_called_anything(bench: Bench, client: redis.Redis) -> None:
    bench.create(request=replace(REQUEST, model="a|b|c"))
    assert read_counts(client) == [Count("created", ("interactive", "a|b|c"), 1)]


def test_a_count_of_a_later_version_is_passed_over(bench: Bench, client: redis.Redis) -> None:
    client.hset(bench.keys.counts, "teleported|somewhere|m", 3)
    client.hset(bench.keys.counts, "finished", 3)
    assert read_counts(client) == []
