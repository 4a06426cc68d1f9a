"""Sharing under any order of steps: one leader at a time, and every job ends."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.records import Bench
from tests.support.shared_work import RESULT, WORK
from worker.jobs.blobs import Blobs
from worker.jobs.errors import ErasedJob, JobEnded, NotClaimable, StaleClaim
from worker.jobs.job import Failure, Job, JobRef, artifact_key
from worker.jobs.store import Claim

pytestmark = pytest.mark.integration

WORKS = (WORK, "cd" * 32)
FAILURES = {
    kind: Failure(type=kind, title="t", detail="d", stage="s", retryable=retryable)
    for kind, retryable in (("predictor-unavailable", True), ("image-too-uniform", False))
}
ENDINGS = ["succeed", "give back", "cancel", *FAILURES]


class Machine(RuleBasedStateMachine):
    """Up to six jobs that need one of two works."""

    bench: Bench
    blobs: Blobs

    @initialize()
    def begin(self) -> None:
        self.bench.client.flushall()
        self.refs: list[JobRef] = []
        self.claims: dict[JobRef, Claim] = {}

    @precondition(lambda self: len(self.refs) < 6)
    @rule()
    def create(self) -> None:
        # Ids that are the same in every run: followers are served in the order of their ids.
        ref = JobRef(tenant="default", id=f"exp_{len(self.refs):032x}")
        self.refs.append(self.bench.create(ref=ref).ref)

    @precondition(lambda self: self.refs)
    @rule(data=st.data(), work=st.sampled_from(WORKS))
    def work(self, data: st.DataObject, work: str) -> None:
        self.take(data.draw(st.sampled_from(self.refs)), work)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), ending=st.sampled_from(ENDINGS))
    def end(self, data: st.DataObject, ending: str) -> None:
        self.leave(data.draw(st.sampled_from(list(self.claims.values()))), ending)

    @precondition(lambda self: self.refs)
    @rule(data=st.data(), wish=st.sampled_from(["request_cancel", "discard", "erase"]))
    def wish(self, data: st.DataObject, wish: str) -> None:
        try:
            getattr(self.bench.store, wish)(data.draw(st.sampled_from(self.refs)))
        except (JobEnded, ErasedJob):
            return

    @precondition(lambda self: self.refs)
    @rule(data=st.data())
    def worker_is_lost(self, data: st.DataObject) -> None:
        ref = data.draw(st.sampled_from(self.refs))
        job = self.read(ref)
        if job is not None and job.lease_until is not None:
            self.bench.run_out(ref, "lease")

    @invariant()
    def one_leads_and_who_follows_is_found(self) -> None:
        if not hasattr(self, "refs"):
            return
        jobs = [job for ref in self.refs if (job := self.read(ref)) is not None]
        keys, client = self.bench.keys, self.bench.client
        following = {
            job.ref.id for job in jobs if job.progress.stage == "following" and not job.is_terminal
        }
        listed: set[str] = set()
        for work in WORKS:
            leaders = [job.ref.id for job in jobs if self.leads(job, work)]
            assert len(leaders) <= 1
            leader = client.get(keys.work_leader("default", work))
            assert not leaders or leader == leaders[0].encode()
            followers = client.zrange(keys.work_followers("default", work), 0, -1)
            listed |= {one.decode() for one in followers}
        assert listed == following
        for job in jobs:
            watched = client.zscore(keys.attention, str(job.ref)) is not None
            assert watched == (not job.is_terminal)
            if job.computed_by is not None:
                assert client.sismember(keys.owners(job.maker), str(job.ref))

    def teardown(self) -> None:
        """Whatever came before: with workers that live, every job ends and nothing is left."""
        if not hasattr(self, "refs"):
            return
        for _ in range(4):
            for ref in self.refs:
                job = self.read(ref)
                if job is not None and job.lease_until is not None:
                    self.bench.run_out(ref, "lease")
                if job is not None and job.not_before is not None:
                    self.bench.run_out(ref, "wait")
                if (claim := self.take(ref, WORK)) is not None:
                    self.leave(claim, "succeed")
        jobs = [job for ref in self.refs if (job := self.read(ref)) is not None]
        assert all(job.is_terminal for job in jobs), [job.status for job in jobs]
        for work in WORKS:
            assert not self.bench.client.exists(
                self.bench.keys.work_leader("default", work),
                self.bench.keys.work_followers("default", work),
            )

    def read(self, ref: JobRef) -> Job | None:
        try:
            return self.bench.store.get(ref)
        except ErasedJob:
            return None

    def leads(self, job: Job, work: str) -> bool:
        named = self.bench.client.hget(self.bench.keys.job(job.ref), "work")
        return named == work.encode() and job.lease_until is not None and job.lease_until > 2

    def take(self, ref: JobRef, work: str) -> Claim | None:
        try:
            claim = self.bench.store.claim(ref, worker="w", lease_s=600)
        except (NotClaimable, ErasedJob):
            return None
        self.claims[ref] = claim
        return claim if self.bench.store.join(claim, work) == "leads" else None

    def leave(self, claim: Claim, ending: str) -> None:
        store = self.bench.store
        try:
            if ending == "succeed":
                self.blobs.put(artifact_key(claim.job.ref, claim.fence, "segments.png"), b"p")
                store.succeed(claim, {**RESULT, "fence": claim.fence})
            elif ending == "give back":
                store.give_back(claim, delay_s=0, waiting_for=None, counts_as_attempt=False)
            elif ending == "cancel":
                store.cancel(claim)
            else:
                store.fail(claim, FAILURES[ending])
        except StaleClaim:
            return


def test_sharing_holds_in_any_order_of_steps(bench: Bench, blobs: Blobs) -> None:
    run_state_machine_as_test(
        type("BoundMachine", (Machine,), {"bench": bench, "blobs": blobs}),
        settings=settings(
            max_examples=30,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
