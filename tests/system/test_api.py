"""The whole service, as its clients see it: web, Redis, worker and model server, over HTTP only."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import skimage
from PIL import Image

from deploy.demo.redis_server import free_port
from tests.support import pictures
from tests.support.requests import MULTIPART, form

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
URL = "/v1/explanations"
TERMINAL = {"succeeded", "failed", "canceled", "expired"}


@pytest.fixture(scope="module")
def cat() -> bytes:
    data = Path(skimage.__file__).parent / "data" / "chelsea.png"
    return data.read_bytes()


@pytest.fixture(scope="module")
def service() -> Iterator[httpx.Client]:
    """A client of the embedded stack, kept running for this module."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.demo", "--serve", "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert any("curl -F" in line for line in process.stdout), "the stack did not start"
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30
        ) as client:
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=60)


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
    fields = {
        "classes": "tiger cat, 285",
        "options.samples": "128",
        "options.seed": "7",
        "overlays": "signed,sheet",
        "metadata.ticket": "4711",
    }
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
