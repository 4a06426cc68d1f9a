"""Jobs of a model that is slow, away or busy, beside jobs of one that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.worker.conftest import Service, StartWorker, told_from, wait_until
from tests.support.quadrant_server import NAME, QuadrantServer
from tests.unit.fakes import make_job
from worker.jobs.job import Job
from worker.jobs.traffic import Traffic

pytestmark = pytest.mark.integration

OTHER = "others"
# No server listens on the port of discarded packets.
AWAY = '[models.away]\naddress = "dns:///127.0.0.1:9"\n'


def job_of(model: str, **changes: object) -> Job:
    return make_job(model=model, **changes)


@pytest.fixture
def two_models(tmp_path: Path, start_worker: StartWorker, model_server: QuadrantServer) -> None:
    """A second model at the same server, of which one call may be in flight, and one without."""
    profile = model_server.profile()
    other = profile.replace(f"[models.{NAME}]", f'[models.{OTHER}]\nservable = "{NAME}"')
    file = tmp_path / "models.toml"
    file.write_text(f"{profile}max_in_flight = 1\n{other}{AWAY}")


@pytest.mark.usefixtures("two_models")
def test_a_model_that_hangs_keeps_one_worker_and_no_job_of_another_model(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer
) -> None:
    worker = start_worker(LIMELIGHT_CONCURRENCY="2", LIMELIGHT_REUSE_RESULTS="false")
    with told_from(worker):
        model_server.hang()
        hanging = [service.submit(make_job()) for _ in range(4)]
        wait_until(
            lambda: (
                [service.store.get(job.ref).waiting_for for job in hanging].count("model-busy") >= 2
            ),
            timeout_s=20,
        )
        # The server hangs for both models; what counts is that a worker asks for the other one.
        other = service.submit(job_of(OTHER))
        wait_until(
            lambda: service.store.get(other.ref).progress.stage not in ("queued", "claimed"),
            timeout_s=20,
        )
        model_server.release()
        for job in [*hanging, other]:
            assert service.ended(job).status == "succeeded"
        assert {service.store.get(job.ref).attempts for job in hanging} == {1}


@pytest.mark.usefixtures("two_models")
def test_jobs_of_a_model_that_is_away_wait_and_those_of_another_go_on(
    service: Service, start_worker: StartWorker
) -> None:
    worker = start_worker(LIMELIGHT_CONCURRENCY="1")
    with told_from(worker):
        away = [service.submit(job_of("away")) for _ in range(4)]
        traffic = Traffic(service.redis)
        wait_until(lambda: traffic.state(["away"])["away"].circuit_open_s > 0, timeout_s=60)
        there = service.submit(job_of(OTHER))
        assert service.ended(there).status == "succeeded"
        waiting = [service.store.get(job.ref) for job in away]
        assert {job.status for job in waiting} <= {"queued", "processing"}
        assert "model-unavailable" in {job.waiting_for for job in waiting}
        assert max(job.attempts for job in waiting) <= 1
