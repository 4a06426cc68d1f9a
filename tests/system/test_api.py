"""The whole service, as its clients see it: web, Redis, worker and model server, over HTTP only."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import skimage
from PIL import Image

from tests.support import pictures
from tests.support.requests import MULTIPART, form

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

URL = "/v1/explanations"
WISHES = {
    "classes": "tiger cat, 285",
    "options.samples": "128",
    "options.seed": "7",
    "overlays": "signed,sheet",
}
TERMINAL = {"succeeded", "failed", "canceled", "expired"}


@pytest.fixture(scope="module")
def cat() -> bytes:
    data = Path(skimage.__file__).parent / "data" / "chelsea.png"
    return data.read_bytes()


@pytest.fixture(scope="module")
def service(service_url: str) -> Iterator[httpx.Client]:
    """A client of the embedded stack."""
    with httpx.Client(base_url=service_url, trust_env=False, timeout=30) as client:
        yield client


def ended(service: httpx.Client, accepted: httpx.Response) -> dict[str, Any]:
    """Poll as a client should: at the Location, as often as it is told, until the job has ended."""
    assert accepted.status_code == 202, accepted.text
    until = time.monotonic() + 120
    while time.monotonic() < until:
        answer = service.get(accepted.headers["Location"])
        job: dict[str, Any] = answer.json()
        if job["status"] in TERMINAL:
            return job
        time.sleep(float(answer.headers["Retry-After"]) / 4)
    pytest.fail(f"the job did not end: {job}")


@pytest.fixture(scope="module")
def job(service: httpx.Client, cat: bytes) -> dict[str, Any]:
    fields = {**WISHES, "metadata.ticket": "4711"}
    return ended(service, service.post(URL, files={"image": cat}, data=fields))


def test_a_finished_job_has_the_shape_of_the_contract(job: dict[str, Any]) -> None:
    assert job["status"] == "succeeded", job["error"]
    assert job["error"] is None
    for moment in ("created_at", "started_at", "finished_at", "expires_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", job[moment])
    assert job["model"]["version"] == 1
    assert job["progress"]["stage"] == "done"
    assert job["metadata"] == {"ticket": "4711"}
    assert len(job["predictions"]) == 5
    assert job["predictions"][0]["class_name"] == "Egyptian cat"
    assert (job["samples"]["used"], job["samples"]["seed"]) == (128, 7)
    assert job["options"]["segmentation"]["method"] == "slic"
    assert all(seconds >= 0 for seconds in job["timings"].values())
    assert set(job["hidden_score"]) == {"282", "285"}


def test_the_classes_asked_for_are_explained_in_their_order(job: dict[str, Any]) -> None:
    assert [item["class_index"] for item in job["explanations"]] == [282, 285]
    for explanation in job["explanations"]:
        assert set(explanation["fidelity"]) == {"r2", "press_r2"}
        assert set(explanation["overlays"]) == {"signed", "sheet"}
        for segment in explanation["top_segments"]:
            left, top, right, bottom = segment["bbox"]
            assert 0 <= left < right <= job["image"]["width"]
            assert 0 <= top < bottom <= job["image"]["height"]


def test_the_pictures_asked_for_are_served_and_no_others(
    service: httpx.Client, job: dict[str, Any]
) -> None:
    for explanation in job["explanations"]:
        for link in explanation["overlays"].values():
            answer = service.get(link)
            assert answer.headers["Content-Type"] == "image/png"
            Image.open(io.BytesIO(answer.content)).load()
            tag = answer.headers["ETag"]
            assert service.get(link, headers={"If-None-Match": tag}).status_code == 304
    missing = service.get(f"{job['links']['self']}/overlays/285/heatmap.png")
    assert missing.status_code == 404
    assert "285/signed.png" in missing.json()["detail"]


def test_the_evidence_can_be_computed_with(
    service: httpx.Client, job: dict[str, Any], cat: bytes
) -> None:
    links = job["links"]
    assert service.get(links["image"]).content == cat
    arrays = service.get(links["attributions"]).json()
    labels = Image.open(io.BytesIO(service.get(links["segments"]).content))
    assert labels.size == (arrays["width"], arrays["height"]) == (451, 300)
    assert labels.mode == "I;16"
    assert set(np.unique(np.asarray(labels))) - {65_535} == set(range(job["segments"]["count"]))


def test_the_same_wishes_again_share_the_result_and_its_pictures(
    service: httpx.Client, job: dict[str, Any], cat: bytes
) -> None:
    again = ended(service, service.post(URL, files={"image": cat}, data=WISHES))
    assert (job["computed_by"], again["computed_by"]) == (None, job["id"])
    assert (again["metadata"], again["samples"]["model_calls"]) == ({}, 0)
    for own, shared in zip(job["explanations"], again["explanations"], strict=True):
        link = shared["overlays"]["sheet"]
        assert link.startswith(again["links"]["self"])
        assert service.get(link).content == service.get(own["overlays"]["sheet"]).content


def test_an_image_that_cannot_be_explained_fails_with_a_problem(service: httpx.Client) -> None:
    flat = pictures.encoded(Image.new("RGB", (300, 200), "grey"))
    body = form(flat, options__segmentation="felzenszwalb")
    answer = service.post(URL, content=body, headers={"Content-Type": MULTIPART})
    job = ended(service, answer)
    assert job["status"] == "failed"
    error = job["error"]
    assert error["type"] == "/problems/image-too-uniform"
    assert error["instance"] == job["links"]["self"]
    assert error["retryable"] is False
    assert error["detail"]
    assert job["explanations"] is None
    assert set(job["links"]) == {"self", "image"}


def test_the_model_is_listed_with_what_its_server_says(service: httpx.Client) -> None:
    (model,) = service.get("/v1/models").json()["models"]
    assert (model["state"], model["class_count"]) == ("available", 1000)
    shown = service.get(model["links"]["self"]).json()
    assert shown["labels"][285] == "Egyptian cat"


def test_it_says_that_it_is_ready_and_who_works(service: httpx.Client) -> None:
    answer = service.get("/v2/health/ready")
    assert answer.status_code == 200
    assert answer.json()["workers"]


def followed(service: httpx.Client, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a job's event stream tells, until it ends."""
    with service.stream("GET", path) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


def test_a_job_is_followed_from_its_acceptance_to_its_end(
    service: httpx.Client, cat: bytes
) -> None:
    accepted = service.post(URL, files={"image": cat}, data={"options.samples": "64"})
    told = list(followed(service, accepted.json()["links"]["events"]))
    names = [name for name, _ in told]
    assert names[:2] == ["queued", "processing"]
    assert "progress" in names
    assert names[-1] == "succeeded"
    assert told[-1][1] == service.get(accepted.headers["Location"]).json()


def test_a_running_job_is_canceled_within_two_seconds(service: httpx.Client, cat: bytes) -> None:
    fields = {"options.samples": "5000", "options.stopping": "fixed"}
    accepted = service.post(URL, files={"image": cat}, data=fields).json()
    for name, news in followed(service, accepted["links"]["events"]):
        if name == "progress" and news["progress"]["samples_done"] > 0:
            break
    asked = time.monotonic()
    assert service.post(accepted["links"]["cancel"]).status_code == 202
    *_, (name, job) = followed(service, accepted["links"]["events"])
    assert (name, job["status"]) == ("canceled", "canceled")
    assert time.monotonic() - asked < 2.5, "2 s, and half a second to hear of it"
    assert service.post(accepted["links"]["cancel"]).status_code == 409


def test_an_erased_job_and_its_pictures_are_gone(service: httpx.Client, cat: bytes) -> None:
    accepted = service.post(URL, files={"image": cat}, data={"options.samples": "32"})
    job = ended(service, accepted)
    picture = job["explanations"][0]["overlays"]["signed"]
    assert service.get(picture).status_code == 200
    assert service.delete(job["links"]["self"]).status_code == 204
    for link in (picture, *job["links"].values()):
        assert service.get(link).status_code == 410
    listed = service.get(URL, params={"limit": 100}).json()["explanations"]
    assert job["id"] not in [one["id"] for one in listed]
