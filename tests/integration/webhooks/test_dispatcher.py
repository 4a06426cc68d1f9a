"""From the end of a job to the receiver, through a real Redis."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook
from structlog.testing import capture_logs

from tests.integration.webhooks.dispatching import (
    LOCAL,
    deliveries,
    dispatching,
    finish_job,
    make_due,
    wait_for_attempts,
    wait_until,
)
from tests.support.receiver import Receiver, hang, status
from tests.support.records import Bench
from worker.telemetry.trace import Trace
from worker.webhooks.addresses import Policy
from worker.webhooks.outbox import Outbox
from worker.webhooks.schedule import DELAYS_S
from worker.webhooks.signing import SecretStore

pytestmark = pytest.mark.integration

EVERY_PORT = Policy(allow_http=True, networks=LOCAL.networks, ports=frozenset(range(1, 65536)))


def test_a_job_that_succeeded_is_told_at_once_and_signed(bench: Bench) -> None:
    secret = SecretStore(bench.client).rotate("default", now=datetime.now(UTC))
    with Receiver() as receiver, dispatching(bench):
        ref = finish_job(bench, receiver.url())
        ended = time.monotonic()
        [request] = receiver.wait_for(1)
        delivery = wait_for_attempts(bench.client, ref, 1)
    assert request.at - ended < 1.0
    told = Webhook(secret.text).verify(request.body, request.headers)
    assert told["type"] == "explanation.succeeded"
    assert told["data"]["id"] == ref.id
    assert told["data"]["explanations"][0]["class_name"] == "Egyptian cat"
    assert request.headers["webhook-id"] == delivery.id
    assert request.headers["user-agent"] == "Limelight/test"
    assert (delivery.state, delivery.next_try_at) == ("delivered", None)
    assert delivery.attempts[0].status_code == 204
    assert bench.client.zcard(bench.keys.deliveries) == 0


def test_a_receiver_can_go_on_in_the_trace_of_the_job(bench: Bench) -> None:
    trace = Trace.new()
    with Receiver() as receiver, dispatching(bench):
        finish_job(bench, receiver.url(), traceparent=str(trace))
        [request] = receiver.wait_for(1)
    assert Trace.parse(request.headers["traceparent"]).trace_id == trace.trace_id


def test_both_secrets_of_a_rotation_verify_and_the_one_before_them_does_not(bench: Bench) -> None:
    store = SecretStore(bench.client)
    first, second, third = (store.rotate("default", now=datetime.now(UTC)) for _ in range(3))
    with Receiver() as receiver, dispatching(bench):
        finish_job(bench, receiver.url())
        [request] = receiver.wait_for(1)
    for secret in (second, third):
        Webhook(secret.text).verify(request.body, request.headers)
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(first.text).verify(request.body, request.headers)


def test_a_tenant_without_a_secret_is_never_told_anything_unsigned(bench: Bench) -> None:
    with Receiver() as receiver, dispatching(bench):
        finish_job(bench, receiver.url())
        [request] = receiver.wait_for(1)
    [secret] = SecretStore(bench.client).valid("default")
    Webhook(secret.text).verify(request.body, request.headers)


def test_a_failure_is_tried_again_with_the_same_id_and_body(bench: Bench) -> None:
    with Receiver(status(500)) as receiver, dispatching(bench):
        ref = finish_job(bench, receiver.url())
        failed = wait_for_attempts(bench.client, ref, 1)
        assert (failed.state, failed.attempts[0].status_code) == ("pending", 500)
        assert failed.next_try_at is not None
        assert 4.4 < failed.next_try_at - failed.attempts[0].at < 6.5
        receiver.behaviour = status(200)
        make_due(bench)
        delivered = wait_for_attempts(bench.client, ref, 2)
    first, second = receiver.requests
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert delivered.state == "delivered"
    assert [attempt.status_code for attempt in delivered.attempts] == [500, 200]


def test_every_event_is_delivered_or_listed_as_undeliverable(bench: Bench) -> None:
    behaviours = {
        "fails": status(500),
        "redirects": status(302, "Location: /elsewhere"),
        "limits": status(429, "Retry-After: 100"),
        "hangs": hang(5),
        "is gone": status(410),
        "works": status(200),
    }
    with ExitStack() as running:
        # Hosts of their own: one that hangs gets a single slot.
        receivers = {
            name: running.enter_context(Receiver(behaviour, address=f"127.0.0.{number}"))
            for number, (name, behaviour) in enumerate(behaviours.items(), start=1)
        }
        refs = {name: finish_job(bench, receiver.url()) for name, receiver in receivers.items()}
        refs["is down"] = finish_job(bench, "http://127.0.0.1:9/")
        refs["is internal"] = finish_job(bench, "http://10.0.0.1/")
        with dispatching(bench, timeout_s=0.3, policy=EVERY_PORT):

            def all_over() -> bool:
                make_due(bench)
                return bench.client.zcard(bench.keys.deliveries) == 0

            wait_until(all_over, timeout_s=30)
    states = {name: deliveries(bench.client, ref)[0] for name, ref in refs.items()}
    assert {name: (found.state, len(found.attempts)) for name, found in states.items()} == {
        **dict.fromkeys(
            ["fails", "redirects", "limits", "hangs", "is down", "is internal"],
            ("undeliverable", len(DELAYS_S)),
        ),
        "is gone": ("undeliverable", 1),
        "works": ("delivered", 1),
    }
    assert {name: found.attempts[-1].error for name, found in states.items()} == {
        "fails": "status",
        "redirects": "redirect",
        "limits": "status",
        "hangs": "timeout",
        "is gone": "status",
        "works": None,
        "is down": "unreachable",
        "is internal": "bad-url",
    }
    assert bench.client.zcard(bench.keys.deliveries) == 0
    ids = {request.headers["webhook-id"] for request in receivers["fails"].requests}
    assert ids == {states["fails"].id}


def test_a_receiver_that_asks_for_time_gets_it(bench: Bench) -> None:
    with Receiver(status(503, "Retry-After: 900")) as receiver, dispatching(bench):
        ref = finish_job(bench, receiver.url())
        delivery = wait_for_attempts(bench.client, ref, 1)
    assert delivery.next_try_at is not None
    assert 899 < delivery.next_try_at - delivery.attempts[0].at < 902


def test_a_redelivery_is_sent_with_the_same_id(bench: Bench) -> None:
    with Receiver() as receiver, dispatching(bench):
        ref = finish_job(bench, receiver.url())
        wait_for_attempts(bench.client, ref, 1)
        Outbox(bench.client).redeliver(ref)
        delivery = wait_for_attempts(bench.client, ref, 2)
    assert [request.headers["webhook-id"] for request in receiver.requests] == [delivery.id] * 2
    assert delivery.state == "delivered"


def test_events_are_told_in_their_order_if_their_receiver_is_there(bench: Bench) -> None:
    with Receiver() as receiver, dispatching(bench):
        finish_job(bench, receiver.url(), events=("explanation.processing",))
        receiver.wait_for(1)
        finish_job(bench, receiver.url())
        receiver.wait_for(2)
    types = [json.loads(request.body)["type"] for request in receiver.requests]
    assert types == ["explanation.processing", "explanation.succeeded"]


@pytest.mark.parametrize("code", [200, 500, 410])
def test_no_delivery_changes_a_job(bench: Bench, code: int) -> None:
    with Receiver(status(code)) as receiver:
        ref = finish_job(bench, receiver.url())
        before = bench.client.hgetall(bench.keys.job(ref)), bench.store.events(ref)
        with dispatching(bench):
            wait_for_attempts(bench.client, ref, 1)
    assert (bench.client.hgetall(bench.keys.job(ref)), bench.store.events(ref)) == before


def test_what_is_due_of_an_erased_job_is_dropped(bench: Bench) -> None:
    with Receiver() as receiver:
        bench.store.erase(finish_job(bench, receiver.url()))
        with dispatching(bench):
            wait_until(lambda: bench.client.zcard(bench.keys.deliveries) == 0)
        assert receiver.connections == 0


def test_a_job_that_is_erased_during_a_try_leaves_nothing(bench: Bench) -> None:
    with Receiver(hang(5)) as receiver, dispatching(bench, timeout_s=0.5):
        ref = finish_job(bench, receiver.url())
        receiver.wait_for(1)
        bench.store.erase(ref)
    assert bench.client.zcard(bench.keys.deliveries) == 0
    assert bench.client.exists(bench.keys.outbox(ref)) == 0


def test_a_mistake_of_ours_is_logged_and_goes_by_the_schedule(bench: Bench) -> None:
    with capture_logs() as logs, dispatching(bench):
        ref = finish_job(bench, "http://127.0.0.1/", result={"explanations": 7})
        delivery = wait_for_attempts(bench.client, ref, 1)
    assert (delivery.state, delivery.attempts[0].error) == ("pending", "internal")
    assert [entry["event"] for entry in logs if entry.get("exc_info")] == [
        "a webhook cannot be sent"
    ]
