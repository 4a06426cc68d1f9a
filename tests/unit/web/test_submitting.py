"""What a good request becomes: a record with every default filled in, blobs, a message."""

from __future__ import annotations

import json

import pytest

from tests.support import pictures
from tests.support.requests import (
    JSON,
    MULTIPART,
    Part,
    as_base64,
    document,
    form,
    image_part,
    multipart,
)
from tests.unit.web.conftest import model
from worker.explain.options import ExplanationOptions
from worker.explain.presets import PRESETS
from worker.jobs.job import upload_key, upload_segments_key
from worker.telemetry.trace import Trace

URL = "/v1/explanations"
PNG = pictures.png()


def post(service, body, content_type=MULTIPART):
    return service.client.post(URL, data=body, content_type=content_type)


def recorded(service, body, content_type=MULTIPART):
    answer = post(service, body, content_type)
    assert answer.status_code == 202, answer.get_json()
    (job,) = service.store.jobs.values()
    return job


def test_an_image_alone_is_enough(service):
    job = recorded(service, form(PNG))
    assert job.request.model == "lite0"
    assert job.request.version is None
    assert job.request.classes == {"top": 1}
    assert job.request.options == ExplanationOptions().model_dump()
    assert [overlay["style"] for overlay in job.request.overlays] == ["signed", "heatmap"]
    assert (job.queue, job.retention_s, job.request.has_segments) == ("interactive", 3_600, False)


def test_an_accepted_job_is_stored_published_and_located(service):
    answer = post(service, form(PNG))
    (ref,) = service.store.jobs
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"{URL}/{ref.id}"
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.get_json()["id"] == ref.id
    assert answer.get_json()["status"] == "queued"
    assert service.blobs.kept == {upload_key(ref): PNG}
    assert service.queue.messages == [(ref, "interactive")]
    assert service.store.published == [ref]


def test_two_jobs_have_two_ids(service):
    ids = {post(service, form(PNG)).get_json()["id"] for _ in range(2)}
    assert len(ids) == 2


EVERYTHING = {
    "model": "lite0",
    "version": 2,
    "classes": ["Egyptian cat", 3],
    "preset": "default",
    "options": {
        "segmentation": {"method": "slic", "n_segments": 40},
        "samples": 500,
        "kernel_width": 0.5,
        "stopping": "fixed",
        "seed": 7,
    },
    "overlays": ["signed", {"style": "sheet", "format": "webp", "max_side": 256}],
    "queue": "bulk",
    "retention_s": 600,
    "metadata": {"ticket": "4711"},
}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (document(PNG, **EVERYTHING), JSON),
        (form(PNG, request=json.dumps(EVERYTHING)), MULTIPART),
        (
            multipart(
                image_part(PNG), Part("request", json.dumps(EVERYTHING).encode(), "r.json", JSON)
            ),
            MULTIPART,
        ),
    ],
    ids=["JSON with base64", "part request", "part request as a file"],
)
def test_the_same_request_is_read_from_each_kind_of_body(service, body, content_type):
    job = recorded(service, body, content_type)
    assert service.blobs.kept == {upload_key(job.ref): PNG}
    assert (job.request.model, job.request.version) == ("lite0", 2)
    assert job.request.classes == (1, 3)
    assert job.request.options["segmentation"]["n_segments"] == 40
    assert job.request.options["samples"] == 500
    assert job.request.metadata == {"ticket": "4711"}
    assert (job.queue, job.retention_s) == ("bulk", 600)
    signed, sheet = job.request.overlays
    assert (signed["style"], signed["format"]) == ("signed", "png")
    assert (sheet["style"], sheet["format"], sheet["max_side"]) == ("sheet", "webp", 256)


def test_form_fields_are_read_by_the_type_of_their_field(service):
    job = recorded(
        service,
        form(
            PNG,
            version="2",
            options__samples="500",
            options__kernel_width="0.5",
            options__stopping="fixed",
            options__segmentation__n_segments="40",
            overlays="signed, sheet",
            queue="bulk",
            retention_s="600",
            metadata__ticket="4711",
        ),
    )
    options = job.request.options
    assert (options["samples"], options["kernel_width"]) == (500, 0.5)
    assert options["stopping"] == "fixed"
    assert options["segmentation"]["n_segments"] == 40
    assert [overlay["style"] for overlay in job.request.overlays] == ["signed", "sheet"]
    assert job.request.metadata == {"ticket": "4711"}
    assert (job.request.version, job.queue, job.retention_s) == (2, "bulk", 600)


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("3", {"top": 3}),
        ("1,3", (1, 3)),
        ("1,", (1,)),
        ("Egyptian cat", (1,)),
        ("egyptian CAT", (1,)),
        ("espresso, 1, Egyptian cat", (3, 1)),
    ],
)
def test_classes_in_a_form_are_a_count_or_indices_or_names(service, text, classes):
    assert recorded(service, form(PNG, classes=text)).request.classes == classes


def test_a_method_and_its_parameters_can_both_be_form_fields(service):
    for fields in (
        {"options__segmentation": "grid", "options__segmentation__rows": "3"},
        {"options__segmentation__rows": "3", "options__segmentation": "grid"},
    ):
        service.store.jobs.clear()
        job = recorded(service, form(PNG, **fields))
        assert job.request.options["segmentation"] == {"method": "grid", "rows": 3, "columns": 7}


def test_the_keys_of_metadata_in_a_form_may_hold_dots(service):
    job = recorded(service, form(PNG, metadata__a__b="x"))
    assert job.request.metadata == {"a.b": "x"}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_can_be_asked_for_and_names_its_own_pictures(service, preset):
    job = recorded(service, form(PNG, preset=preset))
    assert job.request.preset == preset
    styles = tuple(overlay["style"] for overlay in job.request.overlays)
    assert styles == PRESETS[preset].overlays


def test_no_pictures_at_all_can_be_asked_for(service):
    assert recorded(service, document(PNG, overlays=[]), JSON).request.overlays == ()


def test_an_uploaded_label_map_is_kept_and_used(service):
    labels = pictures.label_map()
    job = recorded(service, form(PNG, segments=labels))
    assert job.request.has_segments
    assert job.request.options["segmentation"] == {"method": "custom"}
    assert service.blobs.kept[upload_segments_key(job.ref)] == labels


def test_a_label_map_can_travel_in_json(service):
    labels = pictures.label_map()
    job = recorded(service, document(PNG, segments=as_base64(labels)), JSON)
    assert service.blobs.kept[upload_segments_key(job.ref)] == labels


def test_a_job_that_was_recorded_is_accepted_although_the_queue_is_down(service):
    service.queue.down = True
    answer = post(service, form(PNG))
    assert answer.status_code == 202
    assert len(service.store.jobs) == 1
    assert service.store.published == []


def test_of_several_models_the_default_is_taken(make_service):
    two = (model("a"), model("b"))
    assert recorded(make_service(two, default_model="b"), form(PNG)).request.model == "b"


def test_of_several_models_without_a_default_one_must_be_named(make_service):
    service = make_service((model("a"), model("b")))
    answer = post(service, form(PNG))
    assert answer.status_code == 422
    assert answer.get_json()["type"] == "/problems/unknown-model"
    assert "a, b" in answer.get_json()["detail"]
    assert recorded(service, form(PNG, model="b")).request.model == "b"


def test_without_any_published_model_nothing_is_accepted_for_now(make_service):
    service = make_service(())
    answer = post(service, form(PNG))
    assert answer.status_code == 503
    assert answer.get_json()["type"] == "/problems/unavailable"
    assert "no worker" in answer.get_json()["detail"].lower()
    assert "Retry-After" in answer.headers
    assert service.is_untouched()


def test_an_unknown_class_name_brings_the_closest_ones(service):
    answer = post(service, form(PNG, classes="egypt cat"))
    assert answer.get_json()["type"] == "/problems/unknown-class"
    assert "Egyptian cat" in answer.get_json()["detail"]


def test_a_name_that_two_classes_share_is_refused_with_both_indices(make_service):
    service = make_service((model(labels=("crane", "lynx", "crane"), class_count=3),))
    answer = post(service, form(PNG, classes="crane"))
    assert answer.get_json()["type"] == "/problems/unknown-class"
    assert "0, 2" in answer.get_json()["detail"]
    assert recorded(service, form(PNG, classes="2,")).request.classes == (2,)


def test_class_names_of_a_model_without_names_are_refused_and_indices_taken(make_service):
    service = make_service((model(labels=None, class_count=None, state="unavailable"),))
    assert post(service, form(PNG, classes="lynx")).get_json()["type"] == "/problems/unknown-class"
    assert recorded(service, form(PNG, classes="901,")).request.classes == (901,)


def test_the_catalogue_is_asked_once_for_many_requests(service):
    for _ in range(5):
        post(service, form(PNG))
    assert service.catalogue.reads == 1


TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_job_goes_on_in_the_trace_of_its_request(service):
    headers = {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-01"}
    service.client.post(URL, data=form(PNG), content_type=MULTIPART, headers=headers)
    (job,) = service.store.jobs.values()
    version, trace_id, span_id, flags = job.traceparent.split("-")
    assert (version, trace_id, flags) == ("00", TRACE_ID, "01")
    assert span_id != SPAN_ID


@pytest.mark.parametrize("sent", [None, "", "x" * 5_000, f"00-{'0' * 32}-{SPAN_ID}-01"])
def test_a_request_without_a_good_trace_begins_one(service, sent):
    headers = {} if sent is None else {"traceparent": sent}
    answer = service.client.post(URL, data=form(PNG), content_type=MULTIPART, headers=headers)
    (job,) = service.store.jobs.values()
    assert answer.status_code == 202
    assert Trace.parse(job.traceparent) is not None
