"""Requests with mistakes: whatever is sent, the answer is the sender's fault or none."""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.bodies import EXPLANATIONS, PNG, documents, forms, paths, raw_bodies
from tests.fuzz.bounds import bounded
from tests.support.requests import MULTIPART, form
from web.problems import PROBLEMS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

# What programs ask for. Other paths may be pages, which tell people in their own words.
API = ("/v1/", "/v2/", "/session", "/openapi.json", "/metrics")


def answer_to(service, sent):
    # As gunicorn would say it: the test client takes // for the beginning of a host's name.
    path, _, query = sent.path.partition("?")
    target = {
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": quote(query, safe="=&%"),
    }
    return service.client.open(
        environ_overrides=target,
        method=sent.method,
        data=sent.body,
        content_type=sent.content_type,
        headers=sent.headers,
    )


def check(answer):
    assert answer.status_code < 500, answer.get_data(as_text=True)
    if answer.status_code >= 400:
        assert answer.content_length < 100_000
        if not answer.request.path.startswith(API) and answer.mimetype == "text/html":
            return
        assert answer.content_type == "application/problem+json"
        if answer.data:
            problem = answer.get_json()
            assert problem["type"].removeprefix("/problems/") in PROBLEMS
            assert problem["status"] == answer.status_code


@bounded()
@given(sent=forms())
def test_a_form_with_mistakes_is_accepted_or_refused(service, sent):
    check(answer_to(service, sent))


@bounded()
@given(sent=documents())
def test_a_document_with_mistakes_is_accepted_or_refused(service, sent):
    check(answer_to(service, sent))


@bounded()
@given(sent=raw_bodies())
def test_bytes_that_are_no_body_are_refused(service, sent):
    answer = answer_to(service, sent)
    check(answer)
    assert answer.status_code >= 400


@pytest.fixture
def job(service):
    answer = service.client.post(EXPLANATIONS, data=form(PNG), content_type=MULTIPART)
    assert answer.status_code == 202
    return answer.get_json()["id"]


@bounded()
@given(data=st.data())
def test_every_path_query_and_header_gets_an_answer(service, job, data):
    check(answer_to(service, data.draw(paths(job))))
