from __future__ import annotations

import httpx
import pytest

from limelight import (
    BadAnswer,
    BadSettings,
    Conflict,
    Gone,
    InvalidImage,
    JobFailed,
    LimelightError,
    NotFound,
    NotMade,
    PayloadTooLarge,
    Problem,
    Refused,
    ServerError,
    ServiceUnreachable,
    Unauthorized,
    Unavailable,
    UnknownModel,
)
from tests.unit.limelight.service import ATTRIBUTIONS, JOB_ID, PATH, job, problem, refusal, told

OTHER = "exp_" + "cd" * 16
MODEL = {
    "name": "lite0",
    "state": "available",
    "version": 3,
    "input_size": [224, 224],
    "labels": ["tabby", "Egyptian cat"],
    "seen_at": "2026-01-02T03:04:05Z",
    "favourite_colour": "blue",
}


def test_a_job_is_typed_and_keeps_what_it_does_not_know(make):
    bench = make(told(job("succeeded", mood="good")))

    told_job = bench.client.get(JOB_ID)

    assert told_job.created_at.isoformat() == "2026-01-02T03:04:05.678000+00:00"
    assert told_job.model.name == "lite0"
    explanation = told_job.explanations[0]
    assert explanation.fidelity.press_r2 == 0.76
    assert explanation.top_segments[0].bbox == (40, 12, 48, 30)
    assert told_job.raw["mood"] == "good"


def test_a_status_of_a_later_version_is_not_an_end(make):
    assert not make(told(job("resting"))).client.get(JOB_ID).is_terminal


@pytest.mark.parametrize(
    "answer",
    [
        told({"status": "queued"}),
        told([]),
        told(job(created_at="yesterday")),
        httpx.Response(200, text="<html>Welcome</html>"),
        httpx.Response(302, headers={"Location": "https://login.example/"}),
    ],
    ids=["no id", "a list", "no time", "a page", "a redirect"],
)
def test_what_is_no_job_is_a_bad_answer(make, answer):
    bench = make(
        lambda _: httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
    )
    with pytest.raises(BadAnswer):
        bench.client.get(JOB_ID)
    assert len(bench.service.asked) == 1


@pytest.mark.parametrize(
    ("status", "slug", "kind"),
    [
        (401, "unauthorized", Unauthorized),
        (404, "not-found", NotFound),
        (410, "gone", Gone),
        (413, "payload-too-large", PayloadTooLarge),
        (422, "invalid-image", InvalidImage),
        (422, "unknown-model", UnknownModel),
        (422, "of-a-later-version", Refused),
        (418, "of-a-later-version", Refused),
        (500, "internal", ServerError),
    ],
)
def test_a_problem_is_an_exception_of_its_kind(make, status, slug, kind):
    with pytest.raises(kind) as caught:
        make(refusal(status, slug)).client.get(JOB_ID)
    assert caught.value.status == status
    assert caught.value.problem.type == f"/problems/{slug}"
    assert "What was wrong." in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"", b"<h1>Bad gateway</h1>", b"[]", b'{"status": "odd", "errors": 3}']
)
def test_an_error_without_a_problem_document_is_told_by_its_status(make, body):
    answers = [lambda _: httpx.Response(503, content=body)] * 20
    with pytest.raises(Unavailable) as caught:
        make(*answers).client.get(JOB_ID)
    assert caught.value.status == 503


def test_a_service_that_stays_away_is_unreachable_within_the_deadline(make):
    bench = make(*[httpx.ConnectError("refused")] * 30)

    with pytest.raises(ServiceUnreachable, match="refused") as caught:
        bench.client.models()

    assert bench.time.at <= 1060
    assert 3 < caught.value.attempt < 15
    assert isinstance(caught.value.__cause__, httpx.ConnectError)
    assert bench.time.sleeps == sorted(bench.time.sleeps)


def test_jobs_are_listed_page_by_page_as_they_are_needed(make):
    bench = make(
        told({"explanations": [job("queued")], "next": "c1"}),
        told({"explanations": [job("queued", OTHER)], "next": None}),
    )

    jobs = bench.client.jobs(status="queued", model="lite0", page_size=1)
    assert next(jobs).id == JOB_ID
    assert len(bench.service.asked) == 1
    assert [item.id for item in jobs] == [OTHER]

    first, second = (dict(request.url.params) for request in bench.service.asked)
    assert first == {"status": "queued", "model": "lite0", "limit": "1"}
    assert second == {**first, "cursor": "c1"}


def test_a_list_that_goes_in_circles_is_left(make):
    pages = [told({"explanations": [], "next": "c1"}) for _ in range(9)]
    bench = make(*pages)
    with pytest.raises(BadAnswer, match="twice"):
        list(bench.client.jobs())
    assert len(bench.service.asked) == 2


def test_a_list_of_something_else_is_a_bad_answer(make):
    with pytest.raises(BadAnswer):
        list(make(told({"things": []})).client.jobs())


def test_cancelling_posts_and_gives_the_job(make):
    bench = make(told(job("canceled"), status=202))
    assert bench.client.cancel(JOB_ID).status == "canceled"
    assert bench.service.paths == [f"POST {PATH}/cancel"]


def test_cancelling_what_has_ended_is_a_conflict(make):
    with pytest.raises(Conflict):
        make(refusal(409, "conflict")).client.cancel(JOB_ID)


def test_a_cancel_whose_answer_was_lost_has_worked(make):
    bench = make(
        httpx.ReadError("reset"),
        refusal(409, "conflict"),
        told(job("canceled")),
    )
    assert bench.client.cancel(JOB_ID).status == "canceled"


def test_a_cancel_that_came_too_late_on_its_second_try_is_a_conflict(make):
    bench = make(
        httpx.ReadError("reset"),
        refusal(409, "conflict"),
        told(job("succeeded")),
    )
    with pytest.raises(Conflict):
        bench.client.cancel(JOB_ID)


def test_deleting_tells_when_there_is_nothing_to_delete(make):
    bench = make(httpx.Response(204), refusal(404, "not-found"))
    assert bench.client.delete(JOB_ID) is None
    assert bench.service.paths == [f"DELETE {PATH}"]
    with pytest.raises(NotFound):
        bench.client.delete(JOB_ID)


@pytest.mark.parametrize("prefix", ["", "/explain"])
def test_links_are_followed_below_the_path_of_the_service_whether_or_not_they_have_it(make, prefix):
    shown = job()
    (overlays,) = (one["overlays"] for one in shown["explanations"])
    for style, path in overlays.items():
        overlays[style] = f"{prefix}{path}"
    bench = make(
        told(shown), httpx.Response(200, content=b"signed"), url="https://example.org/explain/"
    )

    assert bench.client.overlay(bench.client.get(JOB_ID), 1, "signed") == b"signed"

    assert bench.service.paths == [
        f"GET /explain{PATH}",
        f"GET /explain{PATH}/overlays/1/signed.png",
    ]


def test_a_delete_whose_answer_was_lost_has_worked(make):
    bench = make(httpx.ReadTimeout("silence"), refusal(410, "gone"))
    assert bench.client.delete(JOB_ID) is None


def test_pictures_are_fetched_by_class_and_style(make):
    bench = make(
        told(job()),
        httpx.Response(200, content=b"signed"),
        httpx.Response(200, content=b"heatmap"),
    )
    done = bench.client.get(JOB_ID)

    assert bench.client.overlay(done) == b"signed"
    assert bench.client.overlay(done, 1, "heatmap") == b"heatmap"

    assert bench.service.paths[1:] == [
        f"GET {PATH}/overlays/1/signed.png",
        f"GET {PATH}/overlays/1/heatmap.webp",
    ]


def test_a_picture_that_was_not_made_names_those_that_were(make):
    bench = make(told(job()))
    with pytest.raises(NotMade, match="1 signed, 1 heatmap"):
        bench.client.overlay(JOB_ID, 2)


def test_a_job_of_a_list_is_asked_for_its_pictures(make):
    listed = job(explanations=None, predictions=None)
    bench = make(
        told({"explanations": [listed], "next": None}),
        told(job()),
        httpx.Response(200, content=b"signed"),
    )
    (found,) = bench.client.jobs()
    assert bench.client.overlay(found, 1, "signed") == b"signed"


def test_a_job_without_a_result_has_no_pictures(make):
    with pytest.raises(JobFailed):
        make(told(job("failed"))).client.overlay(JOB_ID)
    with pytest.raises(NotMade):
        make(told(job("queued"))).client.overlay(JOB_ID)


def test_the_evidence_is_fetched(make):
    bench = make(
        told(ATTRIBUTIONS),
        httpx.Response(200, content=b"map"),
        httpx.Response(200, content=b"upload"),
    )

    evidence = bench.client.attributions(JOB_ID)

    assert evidence.classes[0].attributions == (0.083, -0.01)
    assert evidence.classes[0].sign_confidence is None
    assert bench.client.segments(JOB_ID) == b"map"
    assert bench.client.image(JOB_ID) == b"upload"
    assert bench.service.paths == [
        f"GET {PATH}/attributions.json",
        f"GET {PATH}/segments.png",
        f"GET {PATH}/image",
    ]


def test_models_are_listed_and_shown(make):
    bench = make(told({"models": [MODEL]}), told(MODEL))
    (listed,) = bench.client.models()
    shown = bench.client.model("lite0")
    assert (listed.input_size, shown.labels) == ((224, 224), ("tabby", "Egyptian cat"))
    assert shown.raw["favourite_colour"] == "blue"
    assert bench.service.paths == ["GET /v1/models", "GET /v1/models/lite0"]


@pytest.mark.parametrize("name", ["", "a/b", "..", "a?b", "a#b", "a b", "a%2fb"])
def test_an_id_that_would_name_another_path_is_refused(make, name):
    bench = make()
    with pytest.raises(BadSettings):
        bench.client.get(name)
    assert bench.service.asked == []


def test_everything_on_purpose_is_one_kind_of_exception():
    for kind in (BadAnswer, BadSettings, Refused, JobFailed, NotMade, ServiceUnreachable):
        assert issubclass(kind, LimelightError)


def test_a_problem_with_one_bad_field_is_said_once():
    document = problem(422, "invalid-request", errors=[{"pointer": "/model", "detail": "odd"}])
    assert str(Problem.from_json(document)) == "Invalid request: What was wrong."
