"""The pictures and arrays of a job."""

from __future__ import annotations

import pytest

from tests.support import pictures
from tests.support.requests import MULTIPART, form
from tests.unit.web.results import ARTIFACTS, RESULT, succeed
from worker.jobs.job import JobRef

URL = "/v1/explanations"


def accepted(service, image):
    answer = service.client.post(URL, data=form(image), content_type=MULTIPART)
    return answer.get_json()["id"]


@pytest.fixture
def finished(service):
    job_id = accepted(service, pictures.png())
    succeed(service, job_id)
    return f"{URL}/{job_id}"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("overlays/1/signed.png", "image/png"),
        ("overlays/1/heatmap.webp", "image/webp"),
        ("attributions.json", "application/json"),
        ("segments.png", "image/png"),
    ],
)
def test_what_was_made_is_served_once_and_then_remembered(service, finished, name, media_type):
    answer = service.client.get(f"{finished}/{name}")
    assert (answer.status_code, answer.data) == (200, ARTIFACTS[name])
    assert answer.content_type == media_type
    reads = service.blobs.reads
    again = service.client.get(
        f"{finished}/{name}", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")
    assert service.blobs.reads == reads


@pytest.mark.parametrize(
    "name", ["1/sheet.png", "1/signed.webp", "2/signed.png", "-1/signed.png", "one/signed.png",
             "1/signed", "1/..png", "9999999999999999999999/signed.png", "1/signed.png.png"],
)  # fmt: skip
def test_a_picture_that_was_not_made_names_those_that_were(service, finished, name):
    answer = service.client.get(f"{finished}/overlays/{name}")
    assert answer.status_code == 404
    assert answer.get_json()["type"] == "/problems/not-found"
    assert "1/signed.png, 1/heatmap.webp" in answer.get_json()["detail"]


@pytest.mark.parametrize("name", ["overlays/1/signed.png", "attributions.json", "segments.png"])
def test_before_the_job_has_ended_nothing_was_made(service, name):
    job_id = accepted(service, pictures.png())
    answer = service.client.get(f"{URL}/{job_id}/{name}")
    assert answer.status_code == 404
    assert "queued" in answer.get_json()["detail"]


@pytest.mark.parametrize(
    ("image", "media_type"),
    [
        (pictures.png(), "image/png"),
        (pictures.jpeg(), "image/jpeg"),
        (pictures.encoded(pictures.photograph(), "WEBP"), "image/webp"),
    ],
)
def test_the_image_comes_back_as_it_was_sent(service, image, media_type):
    answer = service.client.get(f"{URL}/{accepted(service, image)}/image")
    assert answer.data == image
    assert answer.content_type == media_type


def test_a_blob_that_is_no_longer_there_is_not_found(service, finished):
    service.blobs.kept.clear()
    assert service.client.get(f"{finished}/segments.png").status_code == 404


def test_a_job_that_shares_a_result_shows_the_pictures_of_the_one_that_made_it(service, finished):
    maker = finished.rsplit("/", 1)[1]
    sharer = accepted(service, pictures.png())
    service.store.change(
        JobRef("default", sharer), status="succeeded", result=RESULT, computed_by=maker
    )
    job = service.client.get(f"{URL}/{sharer}").get_json()
    assert job["computed_by"] == maker
    (link,) = {links["signed"] for links in (item["overlays"] for item in job["explanations"])}
    assert link.startswith(f"{URL}/{sharer}/")
    for name, data in ARTIFACTS.items():
        assert service.client.get(f"{URL}/{sharer}/{name}").data == data
    assert service.client.get(finished).get_json()["computed_by"] is None
