"""Every line of bad input gets its answer as problem details, and leaves nothing behind."""

from __future__ import annotations

import io
import json

import pytest

from tests.support import pictures
from tests.support.bad_input import ALL, ODD_IMAGES
from tests.support.requests import MULTIPART, as_base64, form, image_part, multipart

URL = "/v1/explanations"


def send(client, case):
    headers = dict(case.headers)
    return client.open(
        case.path,
        method=case.method,
        data=case.body or None,
        content_type=case.content_type,
        headers=headers,
    )


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_bad_input_gets_its_problem_and_leaves_nothing_behind(service, case):
    answer = send(service.client, case)
    problem = answer.get_json()
    assert (answer.status_code, problem["type"]) == (case.status, f"/problems/{case.slug}"), problem
    assert answer.content_type == "application/problem+json"
    assert problem["status"] == case.status
    assert problem["title"]
    assert case.says in json.dumps(problem, ensure_ascii=False)
    if case.pointer is not None:
        assert case.pointer in [item["pointer"] for item in problem["errors"]]
    assert service.is_untouched()


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_no_answer_tells_of_our_code(service, case):
    text = send(service.client, case).get_data(as_text=True)
    for ours in ("Traceback", ".py", "site-packages", "pydantic", "PIL.", "object at 0x"):
        assert ours not in text


@pytest.mark.parametrize("image", ODD_IMAGES, ids=lambda image: image.name)
def test_an_odd_image_is_accepted_in_its_own_size(service, image):
    body = multipart(image_part(image.data, image.filename))
    answer = service.client.post(URL, data=body, content_type=MULTIPART)
    assert answer.status_code == 202, answer.get_json()
    shown = answer.get_json()["image"]
    assert (shown["width"], shown["height"]) == image.size


@pytest.mark.parametrize("coding", ["gzip, chunked", "Deflate"])
def test_a_body_that_was_compressed_for_its_transfer_is_refused_like_any_other(service, coding):
    body = multipart(image_part(pictures.png(), "cat.png"))
    headers = {"Transfer-Encoding": coding}
    answer = service.client.post(URL, data=body, content_type=MULTIPART, headers=headers)
    assert answer.status_code == 415
    assert f"has the Transfer-Encoding '{coding}'" in answer.json["detail"]


def test_a_body_over_the_limit_is_refused_by_its_announced_length(make_service):
    service = make_service(max_upload_bytes=10_000)
    answer = service.client.post(URL, data=form(b"x" * 10_001), content_type=MULTIPART)
    assert answer.status_code == 413
    assert answer.get_json()["type"] == "/problems/payload-too-large"


def test_a_body_over_the_limit_is_refused_without_an_announced_length(make_service):
    service = make_service(max_upload_bytes=10_000)
    for content_type in (MULTIPART, "application/json"):
        answer = service.client.post(
            URL,
            input_stream=io.BytesIO(form(b"x" * 100_000)),
            content_type=content_type,
            environ_overrides={"wsgi.input_terminated": True},
        )
        assert answer.status_code == 413
        assert service.is_untouched()


def test_a_body_shorter_than_announced_is_refused(service):
    whole = form(b"x" * 1_000)
    answer = service.client.post(
        URL,
        data=whole[:500],
        content_type=MULTIPART,
        environ_overrides={"CONTENT_LENGTH": str(len(whole)), "wsgi.input_terminated": True},
    )
    assert answer.status_code == 400
    assert service.is_untouched()


def test_of_very_many_bad_fields_the_first_hundred_are_named(service):
    fields = {f"x{number}": 1 for number in range(5_000)}
    answer = service.client.post(URL, json={**fields, "image": as_base64(pictures.png())})
    problem = answer.get_json()
    assert answer.status_code == 422
    assert len(problem["errors"]) == 100
    assert "4999 more" in problem["detail"]
