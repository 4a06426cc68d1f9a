"""A client's wish to stop or erase a job, whatever the job is doing in a real worker."""

from __future__ import annotations

import time

import pytest

from tests.integration.worker.conftest import (
    Service,
    StartWorker,
    told_from,
    wait_for_calls,
)
from tests.support.quadrant_server import QuadrantServer
from tests.unit.fakes import make_job
from worker.jobs.errors import ErasedJob, JobEnded

pytestmark = pytest.mark.integration

# Long enough to be caught in the middle.
LONG = {"samples": 1000, "stopping": "fixed"}


def test_a_job_in_the_model_is_canceled_within_two_seconds(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer
) -> None:
    worker = start_worker()
    model_server.delay_s = 0.05
    job = service.submit(make_job(options=LONG))
    with told_from(worker):
        wait_for_calls(model_server)
        asked = time.monotonic()
        assert service.store.request_cancel(job.ref).status == "processing"
        ended = service.ended(job)
        took_s = time.monotonic() - asked
    assert ended.status == "canceled"
    assert took_s <= 2.0
    time.sleep(0.3)  # A call that the server was in the middle of may end.
    calls = model_server.predicted
    time.sleep(0.3)
    assert model_server.predicted == calls
    with pytest.raises(JobEnded):
        service.store.request_cancel(job.ref)


def test_a_worker_goes_on_to_the_next_job_after_a_cancel_in_each_status(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer
) -> None:
    worker = start_worker()
    model_server.delay_s = 0.05
    running, queued, next_one = (
        service.submit(make_job(options=options)) for options in (LONG, LONG, {"samples": 32})
    )
    with told_from(worker):
        wait_for_calls(model_server)
        assert service.store.request_cancel(queued.ref).status == "canceled"
        service.store.request_cancel(running.ref)
        assert service.ended(next_one).status == "succeeded"
    assert service.store.get(queued.ref).started_at is None
    assert service.store.get(running.ref).status == "canceled"


def test_a_job_that_is_erased_while_it_runs_stops_and_leaves_no_picture(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer
) -> None:
    worker = start_worker()
    model_server.delay_s = 0.05
    job, next_one = (
        service.submit(make_job(options=options)) for options in (LONG, {"samples": 32})
    )
    with told_from(worker):
        wait_for_calls(model_server)
        service.store.discard(job.ref)
        service.blobs.release(job.ref, owner=job.ref)
        service.store.erase(job.ref, blobs_may_follow=True)
        assert service.ended(next_one).status == "succeeded"
    with pytest.raises(ErasedJob):
        service.store.get(job.ref)
    kept = [key for key in service.blobs._redis.scan_iter() if job.ref.id.encode() in key]
    assert kept == [f"limelight:default:tombstone:{job.ref.id}".encode()]
