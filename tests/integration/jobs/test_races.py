"""Many at once: one wins, whatever the timing."""

from __future__ import annotations

import multiprocessing
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from tests.support.records import Bench
from worker.jobs.connection import connect
from worker.jobs.errors import NotClaimable, StaleClaim
from worker.jobs.job import JobRef
from worker.jobs.settings import StoreSettings
from worker.jobs.store import Store

pytestmark = pytest.mark.integration


def outcome_of_claim(url: str, ref: str, worker: str) -> str:
    with connect(StoreSettings(redis_url=url)) as client:
        try:
            return Store(client).claim(JobRef.parse(ref), worker=worker, lease_s=30).worker
        except NotClaimable as error:
            return error.reason


def all_at_once(calls: list[Callable[[], object]]) -> list[object]:
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_of_many_threads_one_claims_the_job(bench: Bench) -> None:
    for _ in range(20):
        ref = bench.create().ref

        def claim(ref: JobRef = ref) -> str:
            try:
                bench.store.claim(ref, worker="w", lease_s=30)
            except NotClaimable as error:
                return error.reason
            return "claimed"

        assert Counter(all_at_once([claim] * 4)) == {"claimed": 1, "held": 3}
        assert bench.store.get(ref).attempts == 1


def test_of_several_processes_one_claims_the_job(bench: Bench, redis_url: str) -> None:
    refs = [str(bench.create().ref) for _ in range(20)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        tried = [
            (ref, pool.submit(outcome_of_claim, redis_url, ref, f"w{worker}"))
            for ref in refs
            for worker in range(2)
        ]
        winners = [(ref, future.result()) for ref, future in tried if future.result() != "held"]
    assert [ref for ref, _ in winners] == refs
    for ref, worker in winners:
        assert bench.store.get(JobRef.parse(ref)).worker == worker


def test_of_many_endings_one_counts(bench: Bench) -> None:
    for _ in range(20):
        claim = bench.store.claim(bench.create().ref, worker="w", lease_s=30)

        def end(number: int, claim: object = claim) -> str:
            try:
                bench.store.succeed(claim, {"number": number})
            except StaleClaim:
                return "stale"
            return "ended"

        outcomes = all_at_once([lambda number=number: end(number) for number in range(4)])
        assert Counter(outcomes) == {"ended": 1, "stale": 3}
        types = [event.type for event in bench.store.events(claim.job.ref)]
        assert types.count("succeeded") == 1
        assert bench.store.get(claim.job.ref).result == {"number": outcomes.index("ended")}


def test_a_finish_and_a_takeover_never_both_count(bench: Bench) -> None:
    for _ in range(20):
        claim = bench.store.claim(bench.create().ref, worker="w1", lease_s=30)
        ref = claim.job.ref

        def finish(claim: object = claim) -> str:
            try:
                bench.store.succeed(claim, {})
            except StaleClaim:
                return "stale"
            return "ended"

        def take_over(ref: JobRef = ref) -> str:
            bench.run_out(ref, "lease")
            try:
                bench.store.claim(ref, worker="w2", lease_s=30)
            except NotClaimable as error:
                return error.reason
            return "claimed"

        assert all_at_once([finish, take_over]) in (["ended", "ended"], ["stale", "claimed"])
