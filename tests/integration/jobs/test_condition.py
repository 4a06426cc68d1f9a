"""What an operator is told of Redis and the queues."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from tests.support.private_redis import private_redis
from tests.support.records import Bench
from worker.jobs.condition import read_condition
from worker.jobs.connection import connect
from worker.jobs.settings import StoreSettings

pytestmark = pytest.mark.integration


def test_the_backlog_counts_jobs_that_wait_and_the_age_of_the_oldest(
    bench: Bench, client: redis.Redis
) -> None:
    oldest, _, running, bulk = (
        bench.create(queue=queue).ref
        for queue in ("interactive", "interactive", "interactive", "bulk")
    )
    bench.store.claim(running, worker="w", lease_s=30)
    client.zincrby(bench.keys.waiting("interactive"), -100.0, str(oldest))
    backlogs = read_condition(client).backlogs
    assert (backlogs["interactive"].depth, backlogs["bulk"].depth) == (2, 1)
    assert backlogs["interactive"].oldest_s == pytest.approx(100, abs=2)
    assert backlogs["bulk"].oldest_s == pytest.approx(0, abs=2)
    bench.run_out(bulk, "deadline")
    bench.store.expire_overdue(limit=1)
    assert read_condition(client).backlogs["bulk"].depth == 0
    assert read_condition(client).backlogs["bulk"].oldest_s == 0


def test_a_redis_that_may_lose_jobs_is_a_problem_with_its_cure(tmp_path: Path) -> None:
    config = {"maxmemory": "64mb", "maxmemory-policy": "allkeys-lru"}
    with private_redis(tmp_path, config=config) as server:
        condition = read_condition(connect(StoreSettings(redis_url=server.url)))
    assert condition.memory_limit == 64 * 2**20
    assert 0 < condition.memory_used < condition.memory_limit
    policy, persistence = condition.problems
    assert "allkeys-lru" in policy
    assert "noeviction" in policy
    assert "appendonly" in persistence


def test_a_redis_set_up_well_has_no_problems(tmp_path: Path) -> None:
    with private_redis(tmp_path, appendonly=True, config={"maxmemory": "64mb"}) as server:
        assert read_condition(connect(StoreSettings(redis_url=server.url))).problems == ()
