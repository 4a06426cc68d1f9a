"""Receivers that never answer must not keep others waiting."""

from __future__ import annotations

import itertools
import socket
import time
from contextlib import ExitStack

import pytest

from tests.integration.webhooks.dispatching import dispatching, finish_job, wait_for_attempts
from tests.support.receiver import OK, Receiver, Request, answer, hang, late
from tests.support.records import Bench
from worker.webhooks.dispatcher import PROMPT_S

pytestmark = pytest.mark.integration

TIMEOUT_S = 15.0
SOON_S = 1.0


def first_delay(bench: Bench, receiver: Receiver) -> float:
    """Seconds from the end of a job to the first request."""
    finish_job(bench, receiver.url())
    ended = time.monotonic()
    receiver.wait_for(1)
    return receiver.requests[0].at - ended


def test_a_receiver_that_hangs_on_every_call_does_not_delay_others(bench: Bench) -> None:
    with Receiver(hang(TIMEOUT_S)) as dead:
        for _ in range(1500):
            finish_job(bench, dead.url())
        with dispatching(bench, timeout_s=TIMEOUT_S):
            dead.wait_for(1)
            delays = []
            for number in range(2, 22):
                with Receiver(address=f"127.0.0.{number}") as alive:
                    delays.append(first_delay(bench, alive))
            # Its call is open all the while, and it gets one at a time.
            assert dead.connections == 1
            dead.__exit__()
    print(f"first delivery beside a hanging receiver: at most {max(delays):.3f} s")  # noqa: T201
    assert max(delays) <= SOON_S


def test_a_receiver_that_begins_to_hang_does_not_delay_others(bench: Bench) -> None:
    behaviours = itertools.chain([answer(OK)], itertools.repeat(hang(TIMEOUT_S)))

    def behave(connection: socket.socket, request: Request) -> None:
        next(behaviours)(connection, request)

    with Receiver(behave) as ill:
        for _ in range(1500):
            finish_job(bench, ill.url())
        with dispatching(bench, timeout_s=TIMEOUT_S):
            ill.wait_for(9)
            with Receiver(address="127.0.0.2") as alive:
                delay = first_delay(bench, alive)
            assert ill.connections == 9
            ill.__exit__()
    assert delay <= SOON_S


def test_hosts_that_answer_are_not_delayed_by_any_number_that_hang(bench: Bench) -> None:
    alive = [Receiver(address=f"127.0.0.{number}") for number in range(2, 8)]
    with (
        ExitStack() as running,
        Receiver(hang(TIMEOUT_S), address="0.0.0.0") as dead,  # noqa: S104 -- all of loopback
        dispatching(bench, timeout_s=TIMEOUT_S, threads=16, per_host=4),
    ):
        for receiver in alive:
            running.enter_context(receiver)
            first_delay(bench, receiver)
        for number in range(1, 41):
            for _ in range(5):
                finish_job(bench, dead.url(host=f"127.0.1.{number}"))
        dead.wait_for(12)
        delays = []
        for receiver in alive:
            receiver.requests.clear()
            delays.append(first_delay(bench, receiver))
        assert dead.connections == 12
        dead.__exit__()
    assert max(delays) <= SOON_S


def test_hosts_that_all_begin_to_answer_late_do_not_delay_others(bench: Bench) -> None:
    tardy = [f"127.0.1.{number}" for number in range(1, 7)]
    with (
        Receiver(address="0.0.0.0") as ill,  # noqa: S104 -- all of loopback
        dispatching(bench, timeout_s=TIMEOUT_S, threads=16, per_host=4),
    ):
        for host in tardy:
            finish_job(bench, ill.url(host=host))
        ill.wait_for(len(tardy))
        # They answered well, so each may have its four slots, which would be more than there are.
        ill.behaviour = late(PROMPT_S + 1)
        for host in tardy * 10:
            finish_job(bench, ill.url(host=host))
        ill.wait_for(len(tardy) + 14)
        began, delays = time.monotonic(), []
        while time.monotonic() < began + PROMPT_S + 3:
            with Receiver(address=f"127.0.0.{2 + len(delays)}") as alive:
                delays.append(first_delay(bench, alive))
            time.sleep(0.5)
        ill.__exit__()
    assert max(delays) <= SOON_S


def test_a_host_that_answered_late_gets_one_try_at_a_time(bench: Bench) -> None:
    with Receiver(late(PROMPT_S + 0.5)) as ill, dispatching(bench, timeout_s=TIMEOUT_S):
        told = wait_for_attempts(bench.client, finish_job(bench, ill.url()), 1)
        assert told.state == "delivered"
        for _ in range(10):
            finish_job(bench, ill.url())
        ill.wait_for(2)
        time.sleep(1.0)
        assert ill.connections == 2
        ill.__exit__()


def test_a_long_queue_of_one_receiver_is_sent_at_a_good_rate(bench: Bench) -> None:
    with Receiver() as receiver:
        for _ in range(300):
            finish_job(bench, receiver.url())
        began = time.monotonic()
        with dispatching(bench):
            receiver.wait_for(300, timeout_s=30)
        rate = 300 / (time.monotonic() - began)
    print(f"deliveries a second to one receiver: {rate:.0f}")  # noqa: T201
    assert rate > 20
