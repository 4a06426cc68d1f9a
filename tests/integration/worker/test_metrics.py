"""What is counted, over all processes, against what is known to have happened."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from deploy.demo.redis_server import LOOPBACK, free_port
from tests.integration.webhooks.dispatching import process as webhooks_process
from tests.integration.worker.conftest import (
    Service,
    StartWorker,
    told_from,
    wait_until,
)
from tests.support import pictures
from tests.support.quadrant_server import NAME, QuadrantServer
from tests.support.receiver import Receiver
from tests.support.scrape import OPENMETRICS, Scrape, scrape
from tests.support.web_process import running
from tests.unit.fakes import make_job

pytestmark = pytest.mark.integration

JOBS = 8
SMALL = {
    "options.segmentation.method": "grid",
    "options.segmentation.rows": "4",
    "options.segmentation.columns": "4",
    "options.samples": "18",
    "options.stopping": "fixed",
    "overlays": "signed",
}
LONG = {"samples": 1000, "stopping": "fixed"}


@pytest.fixture
def web(service: Service, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A front end of two processes: its address, and where its metrics are."""
    port = free_port()
    with running(
        service.redis_url,
        tmp_path / "web.log",
        web_workers="2",
        web_metrics_bind=f"{LOOPBACK}:{port}",
        webhook_allow_http="true",
        webhook_allowed_hosts=LOOPBACK,
    ) as url:
        yield url, f"http://{LOOPBACK}:{port}"


def submit(url: str, number: int, **fields: str) -> str:
    """Post a job that shares its work with no other."""
    answer = httpx.post(
        f"{url}/v1/explanations",
        data={**SMALL, "options.seed": str(number), **fields},
        files={"image": pictures.png()},
        trust_env=False,
        timeout=60,
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def ended(url: str, job: str) -> bool:
    answer = httpx.get(f"{url}/v1/explanations/{job}", trust_env=False, timeout=60).json()
    assert answer["status"] not in ("failed", "canceled", "expired"), answer
    return answer["status"] == "succeeded"


def test_totals_over_all_processes_are_what_happened(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer, web: tuple[str, str]
) -> None:
    url, metrics_url = web
    port = free_port()
    worker = start_worker(
        LIMELIGHT_CONCURRENCY="2",
        # Each child is replaced after two jobs; the next one counts on in its place.
        LIMELIGHT_CHILD_JOBS="2",
        LIMELIGHT_WORKER_METRICS_BIND=f"{LOOPBACK}:{port}",
    )
    with told_from(worker):
        jobs = [submit(url, number) for number in range(JOBS)]
        for job in jobs:
            wait_until(lambda job=job: ended(url, job), timeout_s=60)
        of_worker = scrape(f"http://{LOOPBACK}:{port}")
    of_web = scrape(metrics_url)

    assert of_web.total("limelight_jobs_created_total", queue="interactive", model=NAME) == JOBS
    assert of_web.values("limelight_jobs_finished_total", "status") == {"succeeded": JOBS}
    assert of_web.total("limelight_jobs_claimed_total", kind="first") == JOBS
    posts = {"method": "POST", "route": "/v1/explanations", "status": "202"}
    assert of_web.total("limelight_http_request_duration_seconds_count", **posts) == JOBS
    assert of_web.total("limelight_jobs_queued") == of_web.total("limelight_jobs_processing") == 0
    # The profile's, or one less where this machine was busy and the server given way.
    assert of_web.total("limelight_model_seats_limit", model=NAME) in (1, 2)
    assert of_web.total("limelight_workers") == of_web.total("limelight_redis_up") == 1

    attempts = of_worker.values("limelight_attempt_duration_seconds_count", "outcome")
    assert attempts["succeeded"] == JOBS
    claims = of_web.total("limelight_jobs_claimed_total")
    handed_back = of_web.total("limelight_jobs_handed_back_total")
    assert attempts.get("handed-back", 0) == handed_back == claims - JOBS
    for stage in ("segmenting", "drawing", "storing"):
        left = of_worker.total("limelight_stage_duration_seconds_count", stage=stage, model=NAME)
        assert left == JOBS, stage
    calls = "limelight_model_call_duration_seconds_count"
    # The steward's own, by which it checks the model, among them.
    assert of_worker.total(calls, method="Predict", status="OK") == model_server.predicted
    assert of_worker.total("limelight_model_call_images_total", model=NAME) >= JOBS * 18
    assert of_worker.total("limelight_model_call_retries_total") == 0


def test_a_child_that_is_killed_takes_nothing_with_it_that_was_counted(
    service: Service, start_worker: StartWorker, model_server: QuadrantServer, web: tuple[str, str]
) -> None:
    port = free_port()
    worker = start_worker(LIMELIGHT_LEASE_S="1", LIMELIGHT_WORKER_METRICS_BIND=f"{LOOPBACK}:{port}")
    calls = ("limelight_model_call_duration_seconds_count", {"method": "Predict", "status": "OK"})
    with told_from(worker):
        service.explained(make_job())
        model_server.delay_s = 0.2
        job = service.submit(make_job(options={**LONG, "seed": 3}))
        before = model_server.predicted
        wait_until(lambda: model_server.predicted > before + 5)
        # Told once a second: a job that is over sooner tells nothing of its calls.
        wait_until(lambda: scrape(web[1]).total("limelight_model_images_per_call", model=NAME) >= 1)
        counted = scrape(f"http://{LOOPBACK}:{port}").total(calls[0], **calls[1])
        assert counted >= before
        worker.children[0].send_signal(signal.SIGKILL)
        model_server.delay_s = 0.0
        assert service.ended(job, timeout_s=60).attempts == 2
        after = scrape(f"http://{LOOPBACK}:{port}")
    # Two calls at most were under way when it was killed, answered and never counted.
    assert model_server.predicted - 2 <= after.total(calls[0], **calls[1]) <= model_server.predicted
    assert after.total("limelight_attempt_duration_seconds_count", outcome="succeeded") == 2
    claims = scrape(web[1]).values("limelight_jobs_claimed_total", "kind")
    assert (claims["first"], claims["after-loss"]) == (2, 1)


def test_a_web_process_that_is_killed_takes_no_count_with_it_and_leaves_no_file(
    service: Service, start_worker: StartWorker, web: tuple[str, str], tmp_path: Path
) -> None:

    url, metrics_url = web
    live = {"route": "/v2/health/live", "status": "200"}
    name = "limelight_http_request_duration_seconds_count"

    def alive() -> None:
        httpx.get(f"{url}/v2/health/live", trust_env=False, timeout=60).raise_for_status()

    for _ in range(20):
        alive()
    before = scrape(metrics_url).total(name, **live)
    parent = next(
        one
        for one in psutil.Process().children()
        if "web.main" in one.cmdline() and len(one.children()) == 2
    )
    for child in parent.children():
        child.send_signal(signal.SIGKILL)
    wait_until(lambda: len(parent.children()) == 2 and answers(url))
    after = scrape(metrics_url).total(name, **live)
    assert after >= before >= 20


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/health/live", trust_env=False, timeout=60).is_success
    except httpx.TransportError:
        return False


def test_deliveries_are_counted_by_what_became_of_them(
    service: Service, start_worker: StartWorker, web: tuple[str, str], tmp_path: Path
) -> None:
    port = free_port()
    start_worker()
    with (
        Receiver() as receiver,
        webhooks_process(
            service.redis_url, tmp_path / "hooks.log", webhook_metrics_bind=f"{LOOPBACK}:{port}"
        ),
    ):
        hook = {"webhook.url": receiver.url(), "webhook.events": "explanation.succeeded"}
        for number in range(3):
            submit(web[0], number, **hook)
        receiver.wait_for(3)

        def told() -> Scrape:
            return scrape(f"http://{LOOPBACK}:{port}")

        wait_until(lambda: told().total("limelight_webhook_deliveries_total") == 3)
        found = told()
    states = found.values("limelight_webhook_deliveries_total", "state")
    assert states == {"delivered": 3}
    assert found.total("limelight_webhook_try_duration_seconds_count", result="delivered") == 3


def test_metrics_need_the_admin_scope_except_at_their_own_address(
    service: Service, web: tuple[str, str]
) -> None:
    url, metrics_url = web
    assert httpx.get(f"{url}/metrics", trust_env=False, timeout=60).status_code == 403
    assert httpx.get(f"{metrics_url}/metrics", trust_env=False, timeout=60).status_code == 200
    for path in ("/v1/explanations", "/", "/v2/health/live"):
        assert httpx.get(f"{metrics_url}{path}", trust_env=False, timeout=60).status_code == 404


@pytest.mark.parametrize("accept", ["text/plain", OPENMETRICS])
def test_both_formats_are_read_by_a_parser_and_say_the_same_names(
    service: Service, web: tuple[str, str], accept: str
) -> None:
    httpx.get(f"{web[0]}/v2/health/live", trust_env=False, timeout=60)
    found = scrape(web[1], accept=accept)
    assert found.types["limelight_http_request_duration_seconds"] == "histogram"
    assert found.types["limelight_jobs_finished"] == "counter"
    assert found.types["limelight_queue_oldest_age_seconds"] == "gauge"
    assert all(name.startswith("limelight_") for name in found.types)


def test_paths_and_methods_that_clients_make_up_are_no_labels(
    service: Service, web: tuple[str, str]
) -> None:
    for number in range(5):
        httpx.get(f"{web[0]}/no/such/{number}", trust_env=False, timeout=60)
        httpx.get(f"{web[0]}/v1/explanations/exp_{number:032x}", trust_env=False, timeout=60)
        httpx.request(f"MADE-UP-{number}", f"{web[0]}/v1/models", trust_env=False, timeout=60)
    found = scrape(web[1])
    name = "limelight_http_request_duration_seconds_count"
    assert set(found.values(name, "route")) <= {
        "none", "/v1/explanations/<job_id>", "/v2/health/live", "/v1/models",
    }  # fmt: skip
    assert set(found.values(name, "method")) == {"GET", "other"}


def test_a_steward_that_is_killed_answers_scrapes_again_with_what_was_counted(
    service: Service, start_worker: StartWorker
) -> None:
    port = free_port()
    worker = start_worker(LIMELIGHT_WORKER_METRICS_BIND=f"{LOOPBACK}:{port}")
    name = "limelight_attempt_duration_seconds_count"
    with told_from(worker):
        service.explained(make_job())
        assert scrape(f"http://{LOOPBACK}:{port}").total(name, outcome="succeeded") == 1
        worker.steward.send_signal(signal.SIGKILL)
        wait_until(lambda: answers_scrapes(port), timeout_s=60)
        assert scrape(f"http://{LOOPBACK}:{port}").total(name, outcome="succeeded") == 1


def answers_scrapes(port: int) -> bool:
    try:
        return httpx.get(
            f"http://{LOOPBACK}:{port}/metrics", trust_env=False, timeout=60
        ).is_success
    except httpx.TransportError:
        return False
