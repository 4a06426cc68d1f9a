from __future__ import annotations

from worker.jobs.job import JobRef
from worker.jobs.keys import Keys

KEYS = Keys("limelight")
ID = "exp_" + "0" * 32


def test_no_key_of_one_tenant_is_a_key_of_another() -> None:
    ours, theirs = JobRef("acme", ID), JobRef("umbrella", ID)
    for key in (KEYS.job, KEYS.events, KEYS.tombstone, KEYS.blobs, KEYS.owners):
        assert key(ours) != key(theirs)
        assert ":acme:" in key(ours)
    for index in (KEYS.open, KEYS.jobs):
        assert index("acme") != index("umbrella")
    for shared in (KEYS.work_leader, KEYS.work_followers, KEYS.work_results):
        assert shared("acme", "ab") != shared("umbrella", "ab")
        assert ":acme:" in shared("acme", "ab")


def test_a_tenant_named_like_a_schedule_does_not_reach_it() -> None:
    shared = {
        KEYS.attention, KEYS.deadlines, KEYS.retention, KEYS.unowned, KEYS.leader, KEYS.models,
        KEYS.workers, KEYS.waiting("bulk"), KEYS.waiting("interactive"),
    }  # fmt: skip
    for name in ("waiting", "attention", "open", "jobs"):
        assert {KEYS.open(name), KEYS.jobs(name)}.isdisjoint(shared)


def test_all_keys_of_a_job_differ_and_carry_the_prefix() -> None:
    keys = KEYS.of_job(JobRef("acme", ID))
    assert len(set(keys)) == len(keys)
    assert all(key.startswith("limelight:") for key in keys)
