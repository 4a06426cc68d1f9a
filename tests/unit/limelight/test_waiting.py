from __future__ import annotations

import httpx
import pytest

from limelight import Gone, JobCanceled, JobExpired, JobFailed, WaitedTooLong
from tests.unit.limelight.service import (
    JOB_ID,
    PATH,
    Stream,
    event_stream,
    job,
    refusal,
    told,
)

HEARD = job("processing", links={"self": PATH, "events": f"{PATH}/events"})

SAMPLING = (
    '{"status": "processing", "attempts": 1, "at": "2026-01-02T03:04:06.000Z",'
    ' "progress": {"stage": "sampling", "samples_done": 64, "samples_limit": 1000}}'
)


def event(text: str, number: int = 1) -> bytes:
    return f"id: {number}-0\nevent: progress\ndata: {text}\n\n".encode()


def as_json(document: object) -> str:
    return httpx.Response(200, json=document).text


def test_waiting_polls_as_often_as_the_service_allows(make):
    bench = make(
        told(job("queued"), Retry_After="1"),
        told(job("processing"), Retry_After="3"),
        told(job("succeeded")),
    )

    assert bench.client.wait(JOB_ID).succeeded

    assert bench.time.sleeps == [1.0, 3.0]


def test_an_unchanged_job_is_not_sent_twice(make):
    bench = make(
        told(job("queued")),
        told(job("queued"), ETag='"a"', Retry_After="1"),
        httpx.Response(304, headers={"Retry-After": "2"}),
        told(job("succeeded"), ETag='"b"'),
    )

    seen = list(bench.client.watch(JOB_ID))

    assert [item.status for item in seen] == ["queued", "succeeded"]
    tags = [request.headers.get("If-None-Match") for request in bench.service.asked]
    assert tags == [None, None, '"a"', '"a"']


def test_an_accepted_job_is_not_polled_before_its_time(make):
    bench = make(told(job("queued"), status=202, Retry_After="4"), told(job("succeeded")))
    assert bench.client.explain(b"image").succeeded
    assert bench.time.sleeps == [4.0]


def test_a_job_that_has_ended_is_not_asked_for(make):
    bench = make(told(job("succeeded")))
    ended = bench.client.get(JOB_ID)
    assert bench.client.wait(ended) is ended
    assert list(bench.client.watch(ended)) == [ended]


@pytest.mark.parametrize(
    ("status", "kind"),
    [("failed", JobFailed), ("canceled", JobCanceled), ("expired", JobExpired)],
)
def test_a_job_without_a_result_is_an_exception_that_carries_it(make, status, kind):
    bench = make(told(job(status)))

    with pytest.raises(kind) as caught:
        bench.client.wait(JOB_ID)

    assert isinstance(caught.value, JobFailed)
    assert caught.value.job.status == status
    if status == "failed":
        assert caught.value.problem.slug == "image-too-uniform"
        assert caught.value.problem.stage == "segmenting"
        assert caught.value.problem.retryable is False


def test_waiting_ends_with_its_time(make):
    bench = make(*[told(job("processing"), Retry_After="2")] * 9)

    with pytest.raises(WaitedTooLong) as caught:
        bench.client.wait(JOB_ID, timeout_s=5)

    assert caught.value.job.status == "processing"
    assert isinstance(caught.value, TimeoutError)
    assert sum(bench.time.sleeps) <= 5


def test_an_erased_job_ends_the_waiting(make):
    bench = make(told(job("queued"), Retry_After="1"), refusal(410, "gone"))
    with pytest.raises(Gone):
        bench.client.wait(JOB_ID)


def test_a_job_with_an_event_stream_is_watched_by_it(make):
    bench = make(
        told(HEARD),
        event_stream(
            b"retry: 2000\n\n: heartbeat\n\n",
            event(SAMPLING),
            event(as_json(job("succeeded")), 2),
        ),
    )

    seen = list(bench.client.watch(JOB_ID))

    assert [item.status for item in seen] == ["processing", "processing", "succeeded"]
    assert seen[1].progress.samples_done == 64
    assert seen[-1].explanations[0].class_index == 1
    assert bench.service.paths[1:] == [f"GET {PATH}/events"]
    assert bench.service.asked[1].headers["Accept"] == "text/event-stream"


def test_a_lost_stream_is_taken_up_after_its_last_event(make):
    bench = make(
        told(HEARD),
        event_stream(b"retry: 250\n", event(SAMPLING, 7), b"data: {half", httpx.ReadError("reset")),
        event_stream(event(as_json(job("succeeded")), 8)),
    )

    seen = list(bench.client.watch(JOB_ID))

    assert seen[-1].succeeded
    assert bench.service.asked[2].headers["Last-Event-ID"] == "7-0"
    assert bench.time.sleeps == [0.25]


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: refusal(503, "unavailable"),
        lambda _: told({"not": "a stream"}),
        lambda _: httpx.Response(204, headers={"Content-Type": "text/event-stream"}),
    ],
)
def test_without_a_stream_it_polls(make, answer):
    bench = make(told(HEARD), answer, told(job("succeeded")))
    assert [item.status for item in bench.client.watch(JOB_ID)] == ["processing", "succeeded"]


def test_a_stream_that_brings_nothing_is_given_up_for_polling(make):
    bench = make(told(HEARD), *[lambda _: event_stream(b": hello\n\n")] * 3, told(job("succeeded")))
    assert list(bench.client.watch(JOB_ID))[-1].succeeded


def test_a_brief_last_event_is_followed_by_the_whole_job(make):
    bench = make(
        told(HEARD), event_stream(event('{"status": "succeeded"}')), told(job("succeeded"))
    )
    assert list(bench.client.watch(JOB_ID))[-1].explanations


def test_events_that_say_nothing_of_the_job_are_passed_over(make):
    noise = [event(text) for text in ("hello", "[]", '{"viewers": 3}')]
    bench = make(told(HEARD), event_stream(*noise, event(as_json(job("succeeded")))))
    assert len(list(bench.client.watch(JOB_ID))) == 2


def test_a_stream_is_watched_no_longer_than_was_asked_for(make):
    beats = [b": beat\n\n"] * 3

    bench = make(told(HEARD), event_stream(*beats))
    with pytest.raises(WaitedTooLong):
        list(bench.client.watch(JOB_ID, timeout_s=0))


def test_leaving_early_gives_the_connection_back(make):
    stream = Stream(event(SAMPLING), event(SAMPLING, 2))
    head = {"Content-Type": "text/event-stream"}
    bench = make(told(HEARD), httpx.Response(200, headers=head, stream=stream))

    jobs = bench.client.watch(JOB_ID)
    next(jobs)
    next(jobs)
    jobs.close()

    assert stream.is_closed


def test_a_link_that_leads_elsewhere_is_not_followed(make):
    links = {"events": "https://evil.example/events"}
    bench = make(told(job("processing", links=links)))
    with pytest.raises(ValueError, match="leads away"):
        list(bench.client.watch(JOB_ID))
    assert len(bench.service.asked) == 1
