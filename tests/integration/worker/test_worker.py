from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.integration.worker.conftest import (
    ROOT,
    START_S,
    Service,
    StartWorker,
    WorkerProcess,
    told_from,
    wait_for_calls,
    wait_until,
    worker_environment,
)
from tests.support.quadrant_server import NAME, QuadrantServer
from tests.unit.fakes import make_job, photograph

pytestmark = pytest.mark.integration

# Long enough to be caught in the middle: 63 calls and more.
LONG = {"samples": 1000, "stopping": "fixed"}


def test_a_published_job_is_explained_and_everything_is_stored(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer
) -> None:
    worker = start_worker()
    model_server.predicted = 0
    with told_from(worker):
        job = service.explained(make_job(overlays=("signed", "heatmap"), classes={"top": 2}))

    assert job.result is not None
    assert job.result["model"] == {"name": NAME, "version": 1, "signature": "serving_default"}
    assert job.result["samples"]["model_calls"] == model_server.predicted
    assert set(job.result["libraries"]) >= {"limelight", "numpy", "scikit-image", "scikit-learn"}
    assert job.attempts == 1
    assert job.progress.stage == "done"
    for explanation in job.result["explanations"]:
        for style, kind in explanation["overlays"].items():
            path = f"overlays/{explanation['class_index']}/{style}.{kind}"
            assert service.artifact(job, path).startswith(b"\x89PNG")
    arrays = json.loads(service.artifact(job, "attributions.json"))
    assert arrays["segments"]["count"] == 16
    assert service.artifact(job, "segments.png").startswith(b"\x89PNG")


def test_another_worker_with_other_batches_and_calls_in_flight_gives_the_same_bytes(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer, tmp_path: Path
) -> None:
    for name, queue, limits in (
        ("a", "interactive", "max_in_flight = 1\n"),
        ("b", "bulk", "max_in_flight = 5\ncall_target_ms = 10000\n"),
    ):
        models_file = tmp_path / f"models-{name}.toml"
        profile = model_server.profile()
        if name == "b":
            profile = profile.replace("max_batch_size = 16", "max_batch_size = 7")
        models_file.write_text(profile + limits)
        start_worker(
            name=name,
            LIMELIGHT_MODELS_FILE=str(models_file),
            LIMELIGHT_QUEUES=queue,
            LIMELIGHT_REUSE_RESULTS="false",
        )
    request = make_job(
        overlays=("signed", "heatmap", "sheet"),
        options={"segmentation": {"method": "slic"}, "seed": 11},
    )
    image = photograph(width=300, height=200)

    jobs = [
        service.explained(replace(request, ref=make_job().ref, queue=queue), image)
        for queue in ("interactive", "bulk")
    ]

    assert jobs[0].worker != jobs[1].worker
    one, other = (job.result["samples"] for job in jobs)
    assert one.pop("model_calls") != other.pop("model_calls")
    assert one == other
    assert jobs[0].result["explanations"] == jobs[1].result["explanations"]
    names = ["attributions.json", "segments.png"]
    names += [f"overlays/1/{style}.png" for style in ("signed", "heatmap", "sheet")]
    for name in names:
        assert service.artifact(jobs[0], name) == service.artifact(jobs[1], name), name


def test_a_child_that_is_killed_delays_its_job_and_loses_nothing(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer
) -> None:
    worker = start_worker(LIMELIGHT_LEASE_S="1")
    model_server.delay_s = 0.02
    job = service.submit(make_job(options=LONG))
    with told_from(worker):
        wait_for_calls(model_server)
        (child,) = worker.children
        child.kill()
        model_server.delay_s = 0.0
        ended = service.ended(job)

    assert ended.status == "succeeded"
    assert ended.attempts == 2
    assert ended.result is not None
    assert ended.result["fence"] == ended.fence


def test_a_worker_that_is_stopped_hands_its_job_back_at_once(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer
) -> None:
    worker = start_worker()
    model_server.delay_s = 0.05
    job = service.submit(make_job(options=LONG))
    wait_for_calls(model_server)

    started = time.monotonic()
    with told_from(worker):
        assert worker.stop(timeout_s=10) == 0
    assert time.monotonic() - started < 4
    left = service.store.get(job.ref)
    assert (left.status, left.attempts) == ("queued", 0)

    model_server.delay_s = 0.0
    second = start_worker(name="b")
    with told_from(second):
        assert service.ended(job).status == "succeeded"


def test_a_worker_that_is_stopped_in_a_call_that_hangs_hands_its_job_back_after_the_grace(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer
) -> None:
    worker = start_worker(LIMELIGHT_SOFT_SHUTDOWN_S="1")
    model_server.hang()
    job = service.submit(make_job())
    wait_until(lambda: service.store.get(job.ref).progress.stage == "segmenting")
    time.sleep(0.3)

    with told_from(worker):
        worker.stop(timeout_s=8)
        left = service.store.get(job.ref)
        assert (left.status, left.attempts) == ("queued", 0)


def test_a_model_server_that_hangs_ends_the_job_within_its_limit(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer
) -> None:
    worker = start_worker(LIMELIGHT_JOB_LIMIT_S="2", LIMELIGHT_LEASE_S="1")
    model_server.hang()

    started = time.monotonic()
    with told_from(worker):
        ended = service.ended(service.submit(make_job()))
    assert time.monotonic() - started < 4
    assert ended.status == "failed"
    assert ended.error is not None
    assert ended.error.type in ("predictor-deadline", "timed-out")


def test_a_version_that_is_replaced_while_a_job_runs_is_followed(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer
) -> None:
    worker = start_worker()
    model_server.delay_s = 0.02
    job = service.submit(make_job(options=LONG))
    with told_from(worker):
        wait_for_calls(model_server)
        model_server.version, model_server.delay_s = 2, 0.0
        ended = service.ended(job)

    assert ended.status == "succeeded"
    assert ended.result is not None
    assert ended.result["model"]["version"] == 2
    assert any("version 2" in warning["text"] for warning in ended.result["warnings"])


def test_a_model_server_that_is_away_is_published_with_the_problem(
    service: Service, start_worker: StartWorker, tmp_path: Path
) -> None:
    models = tmp_path / "away.toml"
    models.write_text('[models.away]\naddress = "dns:///127.0.0.1:1"\n')
    worker = start_worker(LIMELIGHT_MODELS_FILE=str(models), wait=False)

    with told_from(worker):
        wait_until(lambda: "away" in service.catalogue.models(), timeout_s=START_S)
    entry = service.catalogue.models()["away"]
    assert entry.state == "unavailable"
    assert entry.problem
    assert "127.0.0.1" not in entry.problem
    assert worker.process.poll() is None


def test_a_models_file_that_cannot_work_is_told_with_its_cure_and_no_trace(
    tmp_path: Path, redis_url: str
) -> None:
    models = tmp_path / "models.toml"
    models.write_text('[models.cat]\naddres = "dns:///tf-serving:8500"\n')
    done = subprocess.run(
        [sys.executable, "-m", "worker.app"],
        cwd=ROOT,
        env=worker_environment(
            {"LIMELIGHT_MODELS_FILE": str(models), "LIMELIGHT_REDIS_URL": redis_url}
        ),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 78
    assert "did you mean 'address'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_setting_that_cannot_be_is_named_without_its_value() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "worker.app"],
        cwd=ROOT,
        env=worker_environment({"LIMELIGHT_REDIS_URL": "http://user:s3cret@redis"}),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 78
    assert "LIMELIGHT_REDIS_URL" in done.stderr
    assert "s3cret" not in done.stderr


def test_a_steward_that_dies_is_replaced(service: Service, start_worker: StartWorker) -> None:
    worker = start_worker()
    first = worker.steward
    first.kill()
    with told_from(worker):
        wait_until(lambda: any(one.pid != first.pid for one in stewards(worker)), timeout_s=15)


def test_a_parent_that_is_killed_leaves_nothing_running(
    service: Service, start_worker: StartWorker
) -> None:
    worker = start_worker()
    left = [*worker.children, worker.steward]
    worker.process.kill()
    worker.process.wait()
    wait_until(lambda: not any(one.is_running() and one.status() != "zombie" for one in left))


def test_the_log_is_json_and_tells_no_secret(service: Service, start_worker: StartWorker) -> None:
    worker = start_worker()
    job = service.explained(make_job(metadata={"ticket": "canary-4711"}))
    worker.stop(timeout_s=10)

    lines = [json.loads(line) for line in worker.log.read_text().splitlines()]
    claimed = [line for line in lines if line["event"] == "job claimed"]
    assert [line["job"] for line in claimed] == [job.ref.id]
    assert "canary-4711" not in worker.log.read_text()


def stewards(worker: WorkerProcess) -> list[psutil.Process]:
    try:
        return [worker.steward]
    except (StopIteration, psutil.NoSuchProcess):
        return []
