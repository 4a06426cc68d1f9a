"""Jobs that need the same work, with real workers: it is done once, and nobody is left behind."""

from __future__ import annotations

import pytest

from tests.integration.worker.conftest import Service, StartWorker, told_from, wait_until
from tests.support.quadrant_server import QuadrantServer
from tests.unit.fakes import make_job, photograph
from worker.jobs.job import Job
from worker.jobs.traffic import Traffic, Visitor

pytestmark = pytest.mark.integration

# Long enough to be caught in the middle: 63 calls and more.
LONG = {"samples": 1000, "stopping": "fixed"}
NAMES = ("attributions.json", "segments.png", "overlays/1/signed.png")


def leading(service: Service, jobs: list[Job]) -> Job:
    """The one that works once all others follow it."""

    def stages() -> list[str]:
        return [service.store.get(job.ref).progress.stage for job in jobs]

    wait_until(lambda: stages().count("following") == len(jobs) - 1)
    (leader,) = (job for job in jobs if service.store.get(job.ref).progress.stage != "following")
    return leader


def bears_two_calls(service: Service) -> None:
    """Let two jobs call the model at once, as after one that found this to cost nothing."""
    traffic, job = Traffic(service.redis), make_job()
    who = Visitor(ref=job.ref, queue="interactive", since=0.0)
    model = job.request.model
    traffic.enter(model, who=who, most=2, lease_s=5)
    traffic.renew(model, who=job.ref, most=2, lease_s=5, images=8, proven=2, gave_way=False)
    traffic.leave(model, who=job.ref, outcome="worked", most=2)


def together(service: Service, model_server: QuadrantServer, count: int = 4) -> list[Job]:
    """Submit jobs that need the same work, and let it hang in the model server."""
    model_server.predicted = 0
    model_server.hang()
    return [service.submit(make_job(options=LONG, metadata={"n": str(n)})) for n in range(count)]


def test_the_same_work_is_done_once_and_meanwhile_no_process_waits_for_it(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer
) -> None:
    worker = start_worker(LIMELIGHT_CONCURRENCY="2")
    bears_two_calls(service)
    with told_from(worker):
        jobs = together(service, model_server)
        leader = leading(service, jobs)
        # One process is free: it does what others need.
        other = service.submit(make_job(options=LONG), photograph(seed=2))
        wait_until(lambda: service.store.get(other.ref).progress.stage == "segmenting")
        model_server.release()
        ended = [service.ended(job) for job in jobs]
        alone = service.ended(other)
        late = service.explained(make_job(options=LONG))

    made = service.store.get(leader.ref)
    assert made.result is not None
    assert alone.result is not None
    calls = made.result["samples"]["model_calls"] + alone.result["samples"]["model_calls"]
    assert model_server.predicted == calls
    for job in (*ended, late):
        assert (job.status, job.maker) == ("succeeded", leader.ref)
        for name in NAMES:
            assert service.artifact(job, name) == service.artifact(made, name)
        if job.ref != leader.ref:
            assert job.result is not None
            assert job.result["samples"]["model_calls"] == 0
    assert [job.request.metadata["n"] for job in ended] == ["0", "1", "2", "3"]


def test_a_leader_that_is_killed_with_its_process_costs_no_follower(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer
) -> None:
    worker = start_worker(LIMELIGHT_LEASE_S="1")
    with told_from(worker):
        jobs = together(service, model_server, 1)
        wait_until(lambda: service.store.get(jobs[0].ref).progress.stage == "segmenting")
        second = start_worker(name="b", LIMELIGHT_LEASE_S="1")
        jobs += [service.submit(make_job(options=LONG)) for _ in range(2)]
        assert leading(service, jobs).ref == jobs[0].ref
        for child in worker.children:
            child.kill()
        worker.process.kill()
        model_server.release()
        with told_from(second):
            ended = [service.ended(job) for job in jobs]
    assert {job.status for job in ended} == {"succeeded"}
    assert len({job.maker for job in ended}) == 1


def test_a_leader_that_is_canceled_leaves_its_work_to_a_follower(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer
) -> None:
    worker = start_worker(LIMELIGHT_CONCURRENCY="2")
    with told_from(worker):
        jobs = together(service, model_server)
        leader = leading(service, jobs)
        model_server.delay_s = 0.1
        model_server.release()
        service.store.request_cancel(leader.ref)
        assert service.ended(leader).status == "canceled"
        model_server.delay_s = 0.0
        ended = {job.ref: service.ended(job) for job in jobs}
    del ended[leader.ref]
    assert {job.status for job in ended.values()} == {"succeeded"}
    (maker,) = {job.maker for job in ended.values()}
    assert maker in ended


def test_a_version_that_was_replaced_is_explained_anew(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer
) -> None:
    worker = start_worker()
    with told_from(worker):
        first = service.explained(make_job())
        model_server.version = 2
        second = service.explained(make_job())
    assert (first.computed_by, second.computed_by) == (None, None)


def test_results_are_not_shared_where_that_is_switched_off(
    service: Service, start_worker: StartWorker
) -> None:
    worker = start_worker(LIMELIGHT_REUSE_RESULTS="false")
    with told_from(worker):
        jobs = [service.explained(make_job()) for _ in range(2)]
    assert [job.computed_by for job in jobs] == [None, None]
