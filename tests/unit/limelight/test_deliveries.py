from __future__ import annotations

import pytest

from limelight import BadAnswer, Conflict, NotFound
from tests.unit.limelight.service import JOB_ID, PATH, refusal, told

LOG = {
    "url": "https://example.org/hook",
    "events": ["explanation.succeeded"],
    "deliveries": [
        {
            "id": "msg_1",
            "event": "explanation.succeeded",
            "at": "2026-01-02T03:04:05Z",
            "state": "pending",
            "attempts": [
                {"at": "2026-01-02T03:04:06Z", "took_s": 0.2, "status_code": 503, "error": "status"}
            ],
            "next_try_at": "2026-01-02T03:04:11Z",
            "mood": "hopeful",
        }
    ],
}


def test_the_log_is_typed_and_keeps_what_it_does_not_know(make):
    bench = make(told(LOG))
    log = bench.client.deliveries(JOB_ID)
    assert bench.service.paths == [f"GET {PATH}/webhook"]
    (delivery,) = log.deliveries
    assert (log.url, log.events) == ("https://example.org/hook", ("explanation.succeeded",))
    assert (delivery.id, delivery.state) == ("msg_1", "pending")
    assert delivery.next_try_at.isoformat() == "2026-01-02T03:04:11+00:00"
    (attempt,) = delivery.attempts
    assert (attempt.status_code, attempt.error, attempt.detail) == (503, "status", None)
    assert attempt.at.isoformat() == "2026-01-02T03:04:06+00:00"
    assert log.raw["deliveries"][0]["mood"] == "hopeful"


def test_redelivering_answers_the_log(make):
    bench = make(told(LOG, status=202))
    assert bench.client.redeliver(JOB_ID).deliveries[0].state == "pending"
    assert bench.service.paths == [f"POST {PATH}/webhook/redeliver"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda _: refusal(404, "not-found"), NotFound),
        (lambda _: refusal(409, "conflict"), Conflict),
        (lambda _: told([]), BadAnswer),
        (lambda _: told({"url": "https://x", "deliveries": [{"id": "msg_1"}]}), BadAnswer),
    ],
)
def test_what_is_no_log_is_raised(make, answer, error):
    with pytest.raises(error):
        make(answer).client.redeliver(JOB_ID)
