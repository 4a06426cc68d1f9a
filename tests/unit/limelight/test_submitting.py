from __future__ import annotations

import io
import json
from email import message_from_bytes

import httpx
import pytest

from limelight import BadSettings, Conflict, InvalidRequest, RateLimited, RetryPolicy
from tests.unit.limelight.service import JOB_ID, job, refusal, told

IMAGE = b"\x89PNG not decoded here"
LOST = httpx.ReadError("connection reset")


def accepted() -> httpx.Response:
    return told(job("queued"), status=202)


def parts_of(request: httpx.Request) -> dict[str, tuple[str | None, bytes]]:
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    message = message_from_bytes(head + request.content)
    return {
        str(part.get_param("name", header="Content-Disposition")): (
            part.get_filename(),
            part.get_payload(decode=True),
        )
        for part in message.get_payload()
    }


def test_bytes_alone_are_sent_as_the_image(make):
    bench = make(accepted())

    submitted = bench.client.submit(IMAGE)

    assert (submitted.id, submitted.status) == (JOB_ID, "queued")
    assert bench.service.paths == ["POST /v1/explanations"]
    assert parts_of(bench.service.asked[0]) == {"image": ("image", IMAGE)}


def test_a_path_and_an_open_file_are_read_and_named_without_their_folder(make, tmp_path):
    file = tmp_path / "cat.png"
    file.write_bytes(IMAGE)
    bench = make(accepted(), accepted(), accepted())

    bench.client.submit(file)
    bench.client.submit(str(file))
    with file.open("rb") as stream:
        bench.client.submit(stream)

    for request in bench.service.asked:
        assert parts_of(request) == {"image": ("cat.png", IMAGE)}


def test_fields_travel_as_json_of_their_types(make):
    bench = make(accepted())

    bench.client.submit(
        IMAGE,
        model="lite0",
        classes=3,
        options={"samples": 500},
        overlays=("signed", {"style": "sheet"}),
        metadata={"ticket": "4711"},
        webhook="https://example.org/hook",
        segments=io.BytesIO(b"map"),
    )

    parts = parts_of(bench.service.asked[0])
    assert json.loads(parts["request"][1]) == {
        "model": "lite0",
        "classes": {"top": 3},
        "options": {"samples": 500},
        "overlays": ["signed", {"style": "sheet"}],
        "metadata": {"ticket": "4711"},
        "webhook": {"url": "https://example.org/hook"},
    }
    assert parts["request"][0] is None
    assert parts["segments"] == ("image", b"map")


def test_classes_by_index_and_name_stay_a_list(make):
    bench = make(accepted())
    bench.client.submit(IMAGE, classes=[285, "espresso"])
    assert json.loads(parts_of(bench.service.asked[0])["request"][1]) == {
        "classes": [285, "espresso"]
    }


def test_text_fields_are_sent_as_they_are(make):
    bench = make(accepted())
    bench.client.submit(IMAGE, form={"options.samples": "500", "classes": "3"})
    parts = parts_of(bench.service.asked[0])
    assert parts["options.samples"] == (None, b"500")
    assert parts["classes"] == (None, b"3")


def test_every_try_sends_the_same_bytes_under_the_same_key(make):
    bench = make(
        httpx.ConnectError("refused"), LOST, refusal(503, "unavailable"), accepted(), accepted()
    )

    bench.client.submit(io.BytesIO(IMAGE))
    bench.client.submit(IMAGE)

    *tries, another = bench.service.asked
    assert len(tries) == 4
    keys = {request.headers["Idempotency-Key"] for request in tries}
    assert len(keys) == 1
    assert all(parts_of(request)["image"][1] == IMAGE for request in tries)
    assert another.headers["Idempotency-Key"] not in keys


def test_a_key_of_the_callers_own_is_sent(make):
    bench = make(accepted())
    bench.client.submit(IMAGE, idempotency_key="ticket-4711")
    assert bench.service.asked[0].headers["Idempotency-Key"] == "ticket-4711"


def test_a_try_that_is_still_being_worked_on_is_waited_for(make):
    bench = make(LOST, refusal(409, "conflict", retry_after="2"), accepted())
    assert bench.client.submit(IMAGE).id == JOB_ID
    assert bench.time.sleeps[1] >= 2


def test_a_conflict_that_lasts_is_told(make):
    bench = make(*[lambda _: refusal(409, "conflict", retry_after="30")] * 9)
    with pytest.raises(Conflict):
        bench.client.submit(IMAGE)
    assert bench.time.at <= 1060


@pytest.mark.parametrize(("status", "slug"), [(429, "rate-limited"), (503, "queue-full")])
def test_retry_after_is_honoured(make, status, slug):
    bench = make(refusal(status, slug, retry_after="7"), accepted())
    bench.client.submit(IMAGE)
    assert bench.time.sleeps == [7.0]


def test_a_wait_beyond_the_deadline_is_not_begun(make):
    bench = make(refusal(429, "rate-limited", retry_after="3600"))

    with pytest.raises(RateLimited) as caught:
        bench.client.submit(IMAGE)

    assert caught.value.retry_after_s == 3600
    assert bench.time.sleeps == []


def test_a_deadline_of_zero_means_one_try(make):
    bench = make(refusal(503, "unavailable"), retry=RetryPolicy(deadline_s=0))
    with pytest.raises(Exception, match="Unavailable"):
        bench.client.submit(IMAGE)
    assert len(bench.service.asked) == 1


def test_what_the_request_got_wrong_is_not_tried_again(make):
    fields = [
        {"pointer": "/model", "detail": "unknown field"},
        {"pointer": "/classes", "detail": "must be a list"},
    ]
    bench = make(refusal(422, "invalid-request", errors=fields))

    with pytest.raises(InvalidRequest) as caught:
        bench.client.submit(IMAGE)

    assert [item.pointer for item in caught.value.fields] == ["/model", "/classes"]
    assert "/classes: must be a list" in str(caught.value)
    assert len(bench.service.asked) == 1


@pytest.mark.parametrize(
    ("image", "fields"),
    [
        (io.StringIO("text"), {}),
        (4711, {}),
        (IMAGE, {"options": {"samples": float("nan")}}),
        (IMAGE, {"options": {"when": object()}}),
        (IMAGE, {"form": {"classes": "3"}, "model": "lite0"}),
        (IMAGE, {"idempotency_key": "line\nbreak"}),
    ],
)
def test_what_cannot_be_sent_is_said_before_anything_is(make, image, fields):
    bench = make()
    with pytest.raises(BadSettings):
        bench.client.submit(image, **fields)
    assert bench.service.asked == []


def test_a_file_that_is_not_there_is_the_callers_to_handle(make, tmp_path):
    with pytest.raises(FileNotFoundError):
        make().client.submit(tmp_path / "none.png")
