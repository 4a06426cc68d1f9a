from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from worker.jobs.codec import decode, pairs, to_json
from worker.jobs.job import (
    WEBHOOK_EVENTS,
    Failure,
    JobRef,
    JobRequest,
    Progress,
    UploadedImage,
    Webhook,
)

REF = JobRef("acme", "exp_" + "0" * 32)
REQUEST = JobRequest(
    model="m",
    version=3,
    classes=(285, 967),
    preset="default",
    options={"samples": 100},
    overlays=({"style": "signed"}, {"style": "sheet"}),
    has_segments=True,
    metadata={"ticket": "4711", "name": "Grün"},
)
FAILURE = Failure(
    type="worker-lost", title="t", detail="d", stage="sampling", retryable=True, grpc_status=None
)


def record(**changes: str | None) -> Mapping[bytes, bytes]:
    """A record as version 1 writes it, with fields changed or left out."""
    fields: dict[str, str | None] = {
        "schema_version": "1",
        "tenant": "acme",
        "id": REF.id,
        "queue": "bulk",
        "status": "queued",
        "request": to_json(REQUEST),
        "image": '{"sha256":"ab","width":451,"height":300}',
        "created_at": "1795384837.983344",
        "deadline_at": "1795384897.983344",
        "retention_s": "600",
        "fence": "0",
        "attempts": "0",
        "cancel_requested": "0",
        "publishes": "0",
        "stage": "queued",
        "samples_done": "0",
        "samples_limit": "0",
        **changes,
    }
    return {name.encode(): value.encode() for name, value in fields.items() if value is not None}


def test_a_request_survives_the_record() -> None:
    assert decode(REF, record()).request == REQUEST


@pytest.mark.parametrize("classes", [{"top": 3}, (285,), ()])
def test_both_forms_of_classes_survive(classes: object) -> None:
    request = replace(REQUEST, classes=classes)
    assert decode(REF, record(request=to_json(request))).request == request


def test_times_keep_their_microseconds() -> None:
    assert decode(REF, record()).created_at == 1795384837.983344


def test_what_does_not_apply_is_none() -> None:
    job = decode(REF, record(waiting_for=""))
    assert (job.started_at, job.waiting_for, job.worker, job.result, job.error) == (None,) * 5


def test_a_running_job_is_read_with_progress_and_lease() -> None:
    job = decode(
        REF,
        record(status="processing", fence="2", attempts="1", worker="w1", cancel_requested="1",
               lease_until="1795384897.5", started_at="1795384838.25", stage="sampling",
               samples_done="64", samples_limit="1000"),
    )  # fmt: skip
    assert (job.fence, job.attempts, job.worker, job.cancel_requested) == (2, 1, "w1", True)
    assert (job.lease_until, job.started_at) == (1795384897.5, 1795384838.25)
    assert job.progress == Progress(stage="sampling", samples_done=64, samples_limit=1000)


def test_an_ended_job_is_read_with_result_and_error() -> None:
    job = decode(REF, record(status="failed", result='{"a":[1]}', error=to_json(FAILURE)))
    assert job.result == {"a": [1]}
    assert job.error == FAILURE


def test_unknown_fields_of_a_newer_version_are_passed_over() -> None:
    newer = {
        "priority": "7",
        "schema_version": "2",
        "request": json.dumps({**json.loads(to_json(REQUEST)), "mood": {"hue": 1}}),
        "image": '{"sha256":"ab","width":451,"height":300,"colour_space":"srgb"}',
        "error": json.dumps({**json.loads(to_json(FAILURE)), "trace_id": "1"}),
    }
    job = decode(REF, record(**newer))
    assert job.schema_version == 2
    assert (job.request, job.error) == (REQUEST, FAILURE)
    assert job.image == UploadedImage(sha256="ab", width=451, height=300)


def test_a_webhook_is_read_back_and_misses_no_event_that_an_older_version_did_not_name() -> None:
    some = replace(REQUEST, webhook=Webhook(url="https://a.example", events=WEBHOOK_EVENTS[1:3]))
    assert decode(REF, record(request=to_json(some))).request == some
    bare = {**json.loads(to_json(REQUEST)), "webhook": {"url": "https://a.example"}}
    read = decode(REF, record(request=json.dumps(bare))).request.webhook
    assert read == Webhook(url="https://a.example", events=WEBHOOK_EVENTS)


def test_fields_that_an_older_version_did_not_write_get_their_default() -> None:
    older = dict.fromkeys(
        ("fence", "attempts", "cancel_requested", "stage", "samples_done", "samples_limit")
    )
    job = decode(REF, record(**older))
    assert (job.fence, job.attempts, job.cancel_requested) == (0, 0, False)
    assert job.progress == Progress()


def test_json_is_the_same_whenever_it_is_written() -> None:
    assert to_json(REQUEST) == to_json(replace(REQUEST))
    assert " " not in to_json({"a": [1, 2]})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_json_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"r2": value})


def test_what_a_script_read_becomes_a_mapping() -> None:
    assert pairs([b"a", b"1", b"b", b"2"]) == {b"a": b"1", b"b": b"2"}


def test_a_record_of_before_there_were_traces_is_read() -> None:
    assert decode(REF, record()).traceparent is None
    assert decode(REF, record(traceparent="00-ab")).traceparent == "00-ab"


def test_warnings_that_are_sentences_are_read_as_warnings_without_a_code() -> None:
    newer = {
        "code": "not-settled",
        "severity": "warning",
        "class_index": 1,
        "text": "t",
        "cure": "c",
    }
    result = {"warnings": ["The image was enlarged.", newer], "fence": 1}
    job = decode(REF, record(status="succeeded", result=json.dumps(result)))
    assert job.result is not None
    older = {
        "code": "other",
        "severity": "warning",
        "class_index": None,
        "text": "The image was enlarged.",
        "cure": "",
    }
    assert job.result["warnings"] == [older, newer]
