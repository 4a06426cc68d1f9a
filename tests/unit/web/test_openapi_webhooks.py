"""What the document says of webhooks is what they are sent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.support.contract import Contract
from tests.unit.webhooks.test_payload import AT, EXPLANATION, FAILURE, QUEUED, RESULT, SUCCEEDED
from worker.jobs.job import WEBHOOK_EVENTS
from worker.webhooks.payload import build
from worker.webhooks.signing import Secret, signed_headers

MANY = [{**EXPLANATION, "class_name": "x" * 900, "class_index": number} for number in range(30)]
TOLD = {
    "processing": QUEUED,
    "succeeded": SUCCEEDED,
    "failed": replace(QUEUED, status="failed", finished_at=AT, error=FAILURE),
    "canceled": replace(QUEUED, status="canceled", finished_at=AT),
    "expired": replace(QUEUED, status="expired", finished_at=AT),
}


@pytest.fixture
def contract(service):
    return Contract(service.client.get("/openapi.json").get_json())


@pytest.fixture
def request_of(contract):
    return lambda status: contract.document["webhooks"][f"explanation.{status}"]["post"]


def body_schema(request):
    return request["requestBody"]["content"]["application/json"]["schema"]


def test_every_event_is_described(contract):
    assert list(contract.document["webhooks"]) == list(WEBHOOK_EVENTS)
    assert [f"explanation.{status}" for status in TOLD] == list(WEBHOOK_EVENTS)


@pytest.mark.parametrize("status", TOLD)
def test_what_an_event_is_sent_has_its_schema(contract, request_of, status):
    sent = json.loads(build(TOLD[status], status=status, at=AT))
    assert contract.errors(body_schema(request_of(status)), sent) == []


def test_a_body_that_leaves_something_out_has_its_schema(contract, request_of):
    long = replace(SUCCEEDED, result={**RESULT, "explanations": MANY})
    sent = json.loads(build(long, status="succeeded", at=AT))
    assert sent["data"]["left_out"] == ["explanations"]
    assert contract.errors(body_schema(request_of("succeeded")), sent) == []


def test_the_example_has_its_schema_and_the_members_that_are_sent(contract, request_of):
    content = request_of("succeeded")["requestBody"]["content"]["application/json"]
    assert contract.errors(content["schema"], content["example"]) == []
    sent = json.loads(build(SUCCEEDED, status="succeeded", at=AT))
    assert content["example"]["data"].keys() == sent["data"].keys()


def test_the_headers_are_those_that_are_sent(request_of):
    now = datetime.now(UTC)
    sent = signed_headers("msg_1", "{}", secrets=[Secret.new(now=now)], at=now)
    for status in TOLD:
        assert [header["name"] for header in request_of(status)["parameters"]] == list(sent)
