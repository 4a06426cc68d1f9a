"""A job as it is shown, from its acceptance to its end and past it."""

from __future__ import annotations

import pytest

from tests.support import pictures
from tests.support.requests import MULTIPART, form
from tests.unit.web.results import RESULT, succeed
from web.problems import PROBLEMS
from worker.jobs.job import Failure, JobRef, Progress

URL = "/v1/explanations"
MEMBERS = [
    "id", "status", "created_at", "started_at", "finished_at", "expires_at", "model", "progress",
    "attempts", "waiting_for", "computed_by", "metadata", "image", "warnings", "hidden_score",
    "predictions", "explanations", "samples", "segments", "options", "timings", "error", "links",
]  # fmt: skip


@pytest.fixture
def job_id(service):
    body = form(pictures.png(), metadata__ticket="4711", version="2", options__seed="7")
    answer = service.client.post(URL, data=body, content_type=MULTIPART)
    return answer.get_json()["id"]


def poll(service, job_id, **headers):
    return service.client.get(f"{URL}/{job_id}", headers=headers)


def test_a_queued_job_shows_what_is_known_and_null_for_the_rest(service, job_id):
    shown = poll(service, job_id).get_json()
    assert list(shown) == MEMBERS
    assert shown["status"] == "queued"
    assert shown["created_at"] == "2025-10-09T08:53:20.250Z"
    assert shown["model"] == {"name": "lite0", "version": 2, "signature": None}
    assert shown["progress"] == {"stage": "queued", "samples_done": 0, "samples_limit": 0}
    assert shown["metadata"] == {"ticket": "4711"}
    assert (shown["image"]["width"], shown["image"]["height"]) == (48, 32)
    assert shown["options"]["seed"] == 7
    assert shown["samples"]["limit"] == 1000
    assert shown["samples"]["used"] is None
    assert shown["segments"] == {"count": None, "sha256": None}
    assert set(shown["timings"].values()) == {None}
    for name in ("started_at", "finished_at", "hidden_score", "predictions", "explanations"):
        assert shown[name] is None
    assert shown["error"] is None


def test_links_are_only_to_what_exists(service, job_id):
    path = f"{URL}/{job_id}"
    assert poll(service, job_id).get_json()["links"] == {
        "self": path,
        "image": f"{path}/image",
        "cancel": f"{path}/cancel",
        "events": f"{path}/events",
    }
    succeed(service, job_id)
    links = poll(service, job_id).get_json()["links"]
    assert set(links) == {"self", "image", "attributions", "segments", "evidence"}
    for link in links.values():
        assert service.client.get(link).status_code == 200


def test_the_202_and_the_first_poll_show_the_same_job(service):
    accepted = service.client.post(URL, data=form(pictures.png()), content_type=MULTIPART)
    assert poll(service, accepted.get_json()["id"]).get_json() == accepted.get_json()


def test_a_job_in_progress_shows_how_far_it_is(service, job_id):
    service.store.change(
        JobRef("default", job_id),
        status="processing",
        started_at=1_760_000_001.5,
        attempts=1,
        progress=Progress(stage="sampling", samples_done=128, samples_limit=1000),
    )
    shown = poll(service, job_id).get_json()
    assert shown["started_at"] == "2025-10-09T08:53:21.500Z"
    assert shown["progress"]["samples_done"] == 128
    assert shown["attempts"] == 1


def test_a_job_says_when_to_come_back_until_it_has_ended(service, job_id):
    assert poll(service, job_id).headers["Retry-After"] == "1"
    succeed(service, job_id)
    assert "Retry-After" not in poll(service, job_id).headers


def test_a_finished_job_shows_its_result_with_links_to_its_pictures(service, job_id):
    succeed(service, job_id)
    shown = poll(service, job_id).get_json()
    assert list(shown) == MEMBERS
    for name in ("model", "predictions", "hidden_score", "samples", "segments", "timings"):
        assert shown[name] == RESULT[name]
    (explanation,) = shown["explanations"]
    path = f"{URL}/{job_id}/overlays/1"
    assert explanation["overlays"] == {
        "signed": f"{path}/signed.png",
        "heatmap": f"{path}/heatmap.webp",
    }
    assert explanation["fidelity"] == {"r2": 0.81, "press_r2": 0.76}
    assert explanation["top_segments"][0]["bbox"] == [40, 12, 48, 30]
    assert shown["warnings"] == RESULT["warnings"]


def test_a_job_that_has_not_changed_is_not_sent_again(service, job_id):
    tag = poll(service, job_id).headers["ETag"]
    again = poll(service, job_id, **{"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == tag
    assert again.headers["Retry-After"] == "1"
    succeed(service, job_id)
    assert poll(service, job_id, **{"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("kind", "status", "grpc_status"),
    [("predictor-unavailable", 503, "UNAVAILABLE"), ("image-too-uniform", 422, None)],
)
def test_a_failed_job_carries_its_problem(service, job_id, kind, status, grpc_status):
    failure = Failure(
        type=kind,
        title="It failed",
        detail="Do this.",
        stage="sampling",
        retryable=True,
        grpc_status=grpc_status,
    )
    service.store.change(JobRef("default", job_id), status="failed", error=failure)
    answer = poll(service, job_id)
    assert answer.status_code == 200
    assert answer.get_json()["error"] == {
        "type": f"/problems/{kind}",
        "title": PROBLEMS[kind].title,
        "status": status,
        "detail": "Do this.",
        "instance": f"{URL}/{job_id}",
        "stage": "sampling",
        "retryable": True,
        "grpc_status": grpc_status,
    }


@pytest.mark.parametrize(
    "kind",
    ["predictor-unavailable", "predictor-deadline", "predictor-rejected", "model-version-gone",
     "bad-model-output", "worker-lost", "timed-out", "image-too-uniform", "invalid-image",
     "unknown-class", "invalid-request", "internal"],
)  # fmt: skip
def test_every_failure_that_a_worker_reports_keeps_its_type(service, job_id, kind):
    failure = Failure(type=kind, title="", detail="", stage="", retryable=False)
    service.store.change(JobRef("default", job_id), status="failed", error=failure)
    told = poll(service, job_id).get_json()["error"]["type"]
    assert told == f"/problems/{kind}"
    assert service.client.get(told).status_code == 200


def test_an_erased_job_is_gone(service, job_id):
    service.store.erased.add(JobRef("default", job_id))
    for path in ("", "/image", "/attributions.json", "/overlays/1/signed.png"):
        answer = service.client.get(f"{URL}/{job_id}{path}")
        assert answer.status_code == 410
        assert answer.get_json()["type"] == "/problems/gone"
