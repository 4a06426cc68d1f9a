"""The store against a model of it: whatever steps come in whatever order, they agree."""

from __future__ import annotations

from dataclasses import dataclass, field

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
from worker.jobs.errors import ErasedJob, NotClaimable, StaleClaim
from worker.jobs.job import TRANSITIONS, Failure, Job, Progress
from worker.jobs.store import Claim

pytestmark = pytest.mark.integration

FAILURE = Failure(type="internal", title="t", detail="d", stage="s", retryable=False)


@dataclass
class Expected:
    """What the store has to hold of one job."""

    status: str = "queued"
    fence: int = 0
    attempts: int = 0
    lease_ran_out: bool = False
    late: bool = False
    waits: bool = False
    to_cancel: bool = False
    erased: bool = False
    claims: list[Claim] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.status not in ("queued", "processing")

    def refusal(self) -> str | None:
        """Why a claim has to be refused, in the order in which the store looks."""
        if self.ended:
            return "ended"
        if self.status == "processing" and not self.lease_ran_out:
            return "held"
        if self.to_cancel:
            return "canceled"
        if self.status == "queued" and self.late:
            return "expired"
        if self.attempts >= 3:
            return "worker-lost"
        return "not-before" if self.status == "queued" and self.waits else None

    def holds(self, claim: Claim) -> bool:
        live = self.status == "processing" and not self.lease_ran_out and not self.erased
        return live and claim.fence == self.fence


MADE_OF = {"canceled": "canceled", "expired": "expired", "worker-lost": "failed"}


class Machine(RuleBasedStateMachine):
    """One job, any steps."""

    bench: Bench

    @initialize()
    def create(self) -> None:
        self.bench.client.flushall()
        self.ref = self.bench.create().ref
        self.expected = Expected()
        self.seen: list[str] = ["queued"]

    @precondition(lambda self: not self.expected.erased)
    @rule()
    def claim(self) -> None:
        expected = self.expected
        refusal = expected.refusal()
        if refusal is None:
            expected.claims.append(self.bench.store.claim(self.ref, worker="w", lease_s=600))
            expected.status, expected.waits, expected.lease_ran_out = "processing", False, False
            expected.fence += 1
            expected.attempts += 1
            assert expected.claims[-1].fence == expected.fence
            return
        with pytest.raises(NotClaimable) as refused:
            self.bench.store.claim(self.ref, worker="w", lease_s=600)
        assert refused.value.reason == refusal
        expected.status = MADE_OF.get(refusal, expected.status)

    @precondition(lambda self: self.expected.claims)
    @rule(
        data=st.data(),
        write=st.sampled_from(["renew", "report", "give_back", "succeed", "fail", "cancel"]),
        counts=st.booleans(),
        waits=st.booleans(),
    )
    def write(self, data: st.DataObject, write: str, counts: bool, waits: bool) -> None:
        expected, store = self.expected, self.bench.store
        claim = data.draw(st.sampled_from(expected.claims))
        held = expected.holds(claim)
        before = self.bench.dump()
        try:
            if write == "renew":
                assert store.renew(claim, lease_s=600) == expected.to_cancel
            elif write == "report":
                store.report(claim, Progress(stage="sampling", samples_done=1, samples_limit=2))
            elif write == "give_back":
                store.give_back(
                    claim, delay_s=600 * waits, waiting_for="x", counts_as_attempt=counts
                )
            elif write == "succeed":
                store.succeed(claim, {})
            elif write == "fail":
                store.fail(claim, FAILURE)
            else:
                store.cancel(claim)
        except StaleClaim:
            assert not held
            assert self.bench.dump() == before
            return
        assert held
        if write == "give_back":
            expected.status, expected.waits = "queued", waits
            expected.attempts -= not counts
        else:
            ends = {"succeed": "succeeded", "fail": "failed", "cancel": "canceled"}
            expected.status = ends.get(write, expected.status)

    @precondition(lambda self: self.expected.status == "processing" and not self.expected.erased)
    @rule()
    def lease_runs_out(self) -> None:
        self.bench.run_out(self.ref, "lease")
        self.expected.lease_ran_out = True

    @precondition(lambda self: not self.expected.ended and not self.expected.erased)
    @rule(what=st.sampled_from(["deadline", "cancel", "wait"]))
    def something_comes_up(self, what: str) -> None:
        if what == "cancel":
            self.bench.request_cancel(self.ref)
            self.expected.to_cancel = True
        elif what == "wait" and self.expected.waits:
            self.bench.run_out(self.ref, "wait")
            self.expected.waits = False
        elif what == "deadline" and self.expected.status == "queued":
            self.bench.run_out(self.ref, "deadline")
            self.expected.late = True

    @precondition(lambda self: not self.expected.erased)
    @rule()
    def sweep_deadlines(self) -> None:
        late = self.expected.status == "queued" and self.expected.late
        assert self.bench.store.expire_overdue(limit=9) == ([self.ref] if late else [])
        if late:
            self.expected.status = "expired"

    @rule()
    def publish(self) -> None:
        self.bench.store.mark_published(self.ref)

    @precondition(lambda self: self.expected.ended and not self.expected.erased)
    @rule()
    def erase(self) -> None:
        self.bench.store.erase(self.ref)
        self.expected.erased = True

    @invariant()
    def they_agree(self) -> None:
        if not hasattr(self, "ref"):
            return
        if self.expected.erased:
            with pytest.raises(ErasedJob):
                self.bench.store.get(self.ref)
            # A tombstone, and that there was a job.
            assert len(self.bench.dump()) == 2
            return
        job = self.bench.store.get(self.ref)
        expected = self.expected
        assert (job.status, job.fence, job.attempts) == (
            expected.status, expected.fence, expected.attempts,
        )  # fmt: skip
        self._moved_legally(job)
        self._indexed(job)

    def _moved_legally(self, job: Job) -> None:
        last = self.seen[-1]
        assert job.status == last or job.status in TRANSITIONS[last]
        if job.status != last:
            self.seen.append(job.status)
        endings = [event for event in self.bench.store.events(self.ref) if event.type not in
                   ("queued", "processing", "progress")]  # fmt: skip
        assert len(endings) == job.is_terminal
        assert (job.expires_at is not None) == job.is_terminal

    def _indexed(self, job: Job) -> None:
        """Each index holds the job exactly in the statuses that it is for."""
        keys, client = self.bench.keys, self.bench.client
        queued, ended = job.status == "queued", job.is_terminal
        member = str(self.ref)
        assert (client.zscore(keys.attention, member) is not None) == (not ended)
        assert (client.zscore(keys.open("default"), self.ref.id) is not None) == (not ended)
        assert (client.zscore(keys.retention, member) is not None) == ended
        assert (client.zscore(keys.deadlines, member) is not None) == queued
        assert (client.zscore(keys.waiting("interactive"), member) is not None) == queued
        assert client.zscore(keys.jobs("default"), self.ref.id) is not None


def test_the_store_agrees_with_its_model(bench: Bench) -> None:
    bound = type("BoundMachine", (Machine,), {"bench": bench})
    run_state_machine_as_test(
        bound,
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
