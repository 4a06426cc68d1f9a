"""Event streams over a pair of sockets; over gunicorn they are tried in the integration tests."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from tests.support import pictures
from tests.support.requests import MULTIPART, form
from tests.unit.web.results import succeed
from web import sse
from web.follower import Pace
from web.streams import STREAMS, Streams
from worker.jobs.job import JobRef

# Pairs of sockets within this process; nothing reaches out.
pytestmark = pytest.mark.usefixtures("socket_enabled")

URL = "/v1/explanations"
BEGINNING = sse.EventId()
QUICK = Pace(news_s=0.01, heartbeat_s=0.1, stuck_s=0.2, lifetime_s=30.0)


class Listener(NamedTuple):
    streams: Streams
    client: socket.socket


@dataclass
class Message:
    id: str
    event: str
    data: dict


def messages(text):
    found = []
    for block in text.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "data" in fields:
            found.append(Message(fields["id"], fields["event"], json.loads(fields["data"])))
    return found


@pytest.fixture
def ref(service):
    answer = service.client.post(URL, data=form(pictures.png()), content_type=MULTIPART)
    ref = JobRef("default", answer.get_json()["id"])
    service.store.happen(ref, "queued")
    return ref


@pytest.fixture
def listen(service, ref):
    """A function that follows the job, on new streams or old, and returns the client's socket."""
    opened = []

    def start(streams=None, *, after=BEGINNING, prefix="", chunked=False, pace=QUICK):
        ours, theirs = socket.socketpair()
        ours.settimeout(5)
        streams = streams or Streams(service.store, most=2, pace=pace)
        opened.append((streams, ours))
        streams.add(theirs, ref=ref, after=after, prefix=prefix, chunked=chunked)
        return Listener(streams, ours)

    yield start
    for streams, client in opened:
        streams.close()
        client.close()


def read_to_end(client):
    return b"".join(iter(lambda: client.recv(65_536), b""))


def read_until(client, end):
    data = b""
    while end not in data:
        more = client.recv(65_536)
        assert more, data
        data += more
    return data


def finish(service, ref):
    succeed(service, ref.id)
    service.store.happen(ref, "succeeded")


# --- the view -------------------------------------------------------------------------------------


def test_a_job_that_has_ended_is_told_at_once_from_its_beginning_to_its_end(service, ref):
    service.store.happen(ref, "processing", attempt="1")
    service.store.happen(ref, "progress", stage="sampling", samples_done="64", samples_limit="100")
    finish(service, ref)
    answer = service.client.get(f"{URL}/{ref.id}/events")
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"
    told = messages(answer.data)
    assert [one.event for one in told] == ["queued", "processing", "progress", "succeeded"]
    assert told[1].data["attempts"] == 1
    assert told[2].data["status"] == "processing"
    assert told[2].data["progress"] == {
        "stage": "sampling", "samples_done": 64, "samples_limit": 100,
    }  # fmt: skip
    assert told[3].data == service.client.get(f"{URL}/{ref.id}").get_json()


def test_whoever_has_seen_the_end_is_told_not_to_come_back(service, ref):
    finish(service, ref)
    last = messages(service.client.get(f"{URL}/{ref.id}/events").data)[-1]
    again = service.client.get(f"{URL}/{ref.id}/events", headers={"Last-Event-ID": last.id})
    assert (again.status_code, again.data) == (204, b"")


def test_a_client_goes_on_after_the_last_event_that_it_saw(service, ref):
    seen = service.store.happen(ref, "processing", attempt="1")
    finish(service, ref)
    answer = service.client.get(f"{URL}/{ref.id}/events", headers={"Last-Event-ID": seen.id})
    assert [one.event for one in messages(answer.data)] == ["succeeded"]


@pytest.mark.parametrize("bad", ["x", "1-2-3", "-1", "1" * 25, "1-", "\u0661"])
def test_an_id_that_no_event_has_is_refused(service, ref, bad):
    headers = {"Last-Event-ID": bad.encode().decode("latin-1")}
    answer = service.client.get(f"{URL}/{ref.id}/events", headers=headers)
    assert (answer.status_code, answer.get_json()["type"]) == (400, "/problems/invalid-request")


def test_a_server_without_sockets_of_gunicorns_streams_as_well(service, ref):
    answer = service.client.get(f"{URL}/{ref.id}/events", headers={"Last-Event-ID": f"{10**18}"})
    stream = iter(answer.response)
    assert next(stream) == sse.RETRY
    finish(service, ref)
    assert [one.event for one in messages(b"".join(stream))] == ["succeeded"]
    service.client.application.extensions[STREAMS].close()


def test_the_head_alone_opens_no_stream(service, ref):
    answer = service.client.head(f"{URL}/{ref.id}/events")
    assert (answer.status_code, answer.data) == (200, b"")


def test_more_streams_than_allowed_are_refused(make_service):
    service = make_service(web_streams=1)
    posted = service.client.post(URL, data=form(pictures.png()), content_type=MULTIPART)
    path = posted.get_json()["links"]["events"]
    first = iter(service.client.get(path).response)
    assert next(first) == sse.RETRY
    streams = service.client.application.extensions[STREAMS]
    ours, theirs = socket.socketpair()
    with ours:
        streams.add(
            theirs,
            ref=JobRef("default", posted.get_json()["id"]),
            after=BEGINNING,
            prefix="",
            chunked=False,
        )
        answer = service.client.get(path)
        assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems/unavailable")
        assert "Retry-After" in answer.headers
        streams.close()


# --- the thread -----------------------------------------------------------------------------------


def test_events_arrive_as_they_happen_and_the_stream_ends_with_the_job(service, ref, listen):
    _, client = listen()
    read_until(client, b"event: queued")
    service.store.happen(ref, "processing", attempt="1")
    read_until(client, b"event: processing")
    finish(service, ref)
    (last,) = messages(read_to_end(client))
    assert (last.event, last.data["status"]) == ("succeeded", "succeeded")


def test_several_clients_of_one_job_each_get_what_they_have_not_seen(service, ref, listen):
    seen = service.store.happen(ref, "processing", attempt="1")
    # So that they are at different places when news of the job are read.
    service.store.down = True
    streams, early = listen()
    _, late = listen(streams, after=sse.read_id(seen.id))
    for client in (early, late):
        read_until(client, b"retry")
    service.store.down = False
    finish(service, ref)
    told = [[one.event for one in messages(read_to_end(client))] for client in (early, late)]
    assert told == [["queued", "processing", "succeeded"], ["succeeded"]]


def test_each_client_is_told_the_paths_of_the_proxy_that_it_came_through(service, ref, listen):
    streams, plain = listen()
    _, below = listen(streams, prefix="/explain")
    finish(service, ref)
    for client, prefix in ((plain, ""), (below, "/explain")):
        shown = messages(read_to_end(client))[-1].data
        assert shown["links"]["self"] == f"{prefix}{URL}/{ref.id}"


def test_an_answer_in_chunks_has_an_end(service, ref, listen):
    _, client = listen(chunked=True)
    finish(service, ref)
    assert read_to_end(client).endswith(b"\r\n0\r\n\r\n")


def test_a_quiet_stream_shows_that_it_lives(listen):
    _, client = listen()
    assert read_until(client, sse.HEARTBEAT).endswith(sse.HEARTBEAT)


def test_a_stream_whose_job_is_erased_ends(service, ref, listen):
    _, client = listen()
    read_until(client, b"event: queued")
    service.store.erase(ref, blobs_may_follow=True)
    assert messages(read_to_end(client)) == []


def test_a_stream_does_not_live_for_ever(listen):
    _, client = listen(pace=Pace(news_s=0.01, lifetime_s=0.1), chunked=True)
    assert read_to_end(client).endswith(b"0\r\n\r\n")


def test_closing_ends_every_stream_as_a_whole_answer_ends(service, ref):
    ours, theirs = socket.socketpair()
    with ours:
        streams = Streams(service.store, most=2, pace=QUICK)
        streams.add(theirs, ref=ref, after=BEGINNING, prefix="", chunked=True)
        read_until(ours, b"event: queued")
        streams.close()
        assert read_to_end(ours).endswith(b"0\r\n\r\n")


def test_a_client_that_left_is_noticed_and_makes_room(listen):
    streams, client = listen()
    _, other = listen(streams)
    read_until(client, b"event: queued")
    read_until(other, b"event: queued")
    assert streams.is_full
    client.close()
    until = time.monotonic() + 5
    while streams.is_full:
        assert time.monotonic() < until
        time.sleep(0.005)


def test_a_client_that_does_not_read_is_dropped_and_holds_up_no_other(service, ref, listen):
    streams, stuck = listen()
    _, good = listen(streams)
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    read_until(good, b"event: queued")
    for number in range(8):
        for _ in range(50):
            service.store.happen(ref, "queued", waiting_for="x" * 4000)
        # Whoever reads is never as far behind as whoever does not.
        service.store.happen(ref, "queued", waiting_for=f"mark {number}")
        read_until(good, f"mark {number}".encode())
    finish(service, ref)
    assert messages(read_to_end(good))[-1].event == "succeeded"
    # What is left in its buffer ends without the end.
    assert b"event: succeeded" not in read_to_end(stuck)


def test_a_store_that_is_away_only_delays_events(service, ref, listen):
    _, client = listen()
    read_until(client, b"event: queued")
    service.store.down = True
    time.sleep(0.05)
    service.store.happen(ref, "processing", attempt="1")
    service.store.down = False
    assert read_until(client, b"event: processing")
