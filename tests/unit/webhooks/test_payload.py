from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support.records import IMAGE, REQUEST
from worker.jobs.job import Failure, Job, JobRef
from worker.webhooks.payload import MAX_BYTES, build

AT = 1795384838.25
EXPLANATION = {
    "class_index": 285,
    "class_name": "Egyptian cat",
    "score": 0.771,
    "intercept": 0.41,
    "fidelity": {"r2": 0.81, "press_r2": 0.76},
    "settled": True,
    "top_segments": [{"segment": 12, "attribution": 0.083}],
    "overlays": {"signed": "png"},
}
RESULT = {
    "model": {"name": "efficientnet-lite0", "version": 1, "signature": "serving_default"},
    "predictions": [{"class_index": 285, "class_name": "Egyptian cat", "score": 0.771}],
    "explanations": [EXPLANATION],
}
QUEUED = Job(
    ref=JobRef("acme", "exp_" + "0" * 32),
    status="queued",
    queue="interactive",
    request=REQUEST,
    image=IMAGE,
    created_at=AT - 3,
    deadline_at=AT + 100,
    retention_s=600,
)
SUCCEEDED = replace(QUEUED, status="succeeded", finished_at=AT, result=RESULT)
FAILURE = Failure(
    type="predictor-unavailable", title="t", detail="d", stage="sampling", retryable=True
)


def document(job: Job, status: Any, at: float = AT) -> dict[str, Any]:
    return json.loads(build(job, status=status, at=at))


def test_a_success_names_the_top_classes_with_their_fidelity_and_no_more() -> None:
    assert document(SUCCEEDED, "succeeded") == {
        "type": "explanation.succeeded",
        "timestamp": "2026-11-22T22:00:38.250Z",
        "data": {
            "id": SUCCEEDED.ref.id,
            "status": "succeeded",
            "model": RESULT["model"],
            "metadata": {"ticket": "4711"},
            "explanations": [
                {
                    "class_index": 285,
                    "class_name": "Egyptian cat",
                    "score": 0.771,
                    "fidelity": {"r2": 0.81, "press_r2": 0.76},
                    "settled": True,
                }
            ],
            "error": None,
            "links": {"self": f"/v1/explanations/{SUCCEEDED.ref.id}"},
        },
    }


def test_a_failure_says_why() -> None:
    data = document(replace(QUEUED, status="failed", error=FAILURE), "failed")["data"]
    assert data["error"] == {
        "type": "/problems/predictor-unavailable",
        "title": "t",
        "detail": "d",
        "stage": "sampling",
        "retryable": True,
        "grpc_status": None,
    }
    assert data["explanations"] is None


def test_a_start_that_is_told_late_says_what_it_said_at_once() -> None:
    processing = replace(QUEUED, status="processing", started_at=AT)
    late = build(SUCCEEDED, status="processing", at=AT)
    assert late == build(processing, status="processing", at=AT)
    assert json.loads(late)["data"]["model"] == {
        "name": "efficientnet-lite0",
        "version": None,
        "signature": None,
    }


@pytest.mark.parametrize("status", ["canceled", "expired"])
def test_other_ends_are_told_too(status: Any) -> None:
    told = document(replace(QUEUED, status=status), status)
    assert (told["type"], told["data"]["status"]) == (f"explanation.{status}", status)


def test_a_body_never_reaches_the_limit() -> None:
    many = {**RESULT, "explanations": [{**EXPLANATION, "class_name": "ü" * 500}] * 30}
    body = build(replace(SUCCEEDED, result=many), status="succeeded", at=AT)
    data = json.loads(body)["data"]
    assert len(body.encode()) < MAX_BYTES
    assert (data["explanations"], data["left_out"]) == (None, ["explanations"])
    assert data["metadata"] == {"ticket": "4711"}


def test_metadata_goes_last() -> None:
    metadata = {f"key-{number}": "\U0001f408" * 500 for number in range(20)}
    job = replace(SUCCEEDED, request=replace(REQUEST, metadata=metadata))
    body = build(job, status="succeeded", at=AT)
    data = json.loads(body)["data"]
    assert len(body.encode()) < MAX_BYTES
    assert (data["metadata"], data["left_out"]) == (None, ["explanations", "metadata"])


def test_paths_begin_with_the_prefix_under_which_the_service_is_published():
    failed = replace(QUEUED, status="failed", finished_at=AT, error=FAILURE)
    data = json.loads(build(failed, status="failed", at=AT, prefix="/explain"))["data"]
    assert data["links"]["self"] == f"/explain/v1/explanations/{QUEUED.ref.id}"
    assert data["error"]["type"] == f"/explain/problems/{FAILURE.type}"
