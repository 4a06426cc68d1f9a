"""Seats at a model and its circuit, shared by all workers through Redis."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import redis

from worker.jobs import traffic as rules
from worker.jobs.job import JobRef, QueueName
from worker.jobs.traffic import Left, ModelBusy, Outcome, Seat, Traffic, Visitor

pytestmark = pytest.mark.integration

MODEL = "cats"
A, B, C = (JobRef("default", f"exp_{number:032x}") for number in range(3))


@pytest.fixture
def traffic(client: redis.Redis) -> Traffic:
    return Traffic(client)


def visitor(who: JobRef, *, queue: QueueName = "interactive", since: float = 1.0) -> Visitor:
    return Visitor(ref=who, queue=queue, since=since)


def enter(
    traffic: Traffic,
    who: JobRef | Visitor,
    *,
    most: int = 2,
    model: str = MODEL,
    lease_s: float = 30,
) -> Seat:
    asks = visitor(who) if isinstance(who, JobRef) else who
    return traffic.enter(model, who=asks, most=most, lease_s=lease_s)


def renew(
    traffic: Traffic, who: JobRef, *, most: int = 4, proven: int = 1, gave_way: bool = False
) -> Seat:
    return traffic.renew(
        MODEL, who=who, most=most, lease_s=30, images=8, proven=proven, gave_way=gave_way
    )


def leave(traffic: Traffic, who: JobRef, outcome: Outcome = "worked", *, most: int = 2) -> Left:
    return traffic.leave(MODEL, who=who, outcome=outcome, most=most)


def knock(traffic: Traffic, who: JobRef) -> None:
    traffic.knock(MODEL, who=visitor(who), lease_s=30)


def numbered(number: int) -> JobRef:
    return JobRef("default", f"exp_{number:032x}")


def refused(ask: Callable[[], object]) -> ModelBusy:
    with pytest.raises(ModelBusy) as caught:
        ask()
    return caught.value


def refused_one(traffic: Traffic, asks: Visitor) -> ModelBusy:
    """Ask for the only seat, which is taken."""
    return refused(lambda: enter(traffic, asks, most=1))


def open_circuit(traffic: Traffic) -> float:
    for _ in range(rules.FAILURES - 1):
        assert leave(traffic, A, "failed").open_s == 0
    return leave(traffic, A, "failed").open_s


def test_a_second_job_has_to_wait_until_the_server_was_found_to_bear_two_calls(
    traffic: Traffic,
) -> None:
    assert enter(traffic, A).in_flight == 2, "alone it may try"
    assert refused(lambda: enter(traffic, B)).reason == "model-busy"
    renew(traffic, A, most=2, proven=1)
    assert refused(lambda: enter(traffic, B)).reason == "model-busy"
    renew(traffic, A, most=2, proven=2)
    assert enter(traffic, B) == Seat(in_flight=1, images=8)


def test_jobs_share_the_calls_in_flight_and_the_last_one_too_many_is_refused(
    traffic: Traffic,
) -> None:
    enter(traffic, A)
    assert renew(traffic, A, most=2, proven=2).in_flight == 2
    enter(traffic, B)
    assert renew(traffic, A, most=2, proven=1).in_flight == 1
    assert refused(lambda: enter(traffic, C)).reason == "model-busy"
    leave(traffic, A, "worked")
    assert enter(traffic, C) == Seat(in_flight=1, images=8)


def test_what_a_job_was_found_to_cost_is_beside_the_calls_of_the_others(traffic: Traffic) -> None:
    enter(traffic, A, most=8)
    renew(traffic, A, most=8, proven=2)
    enter(traffic, B, most=8)
    assert renew(traffic, A, most=8, proven=4).in_flight == 4
    assert traffic.state([MODEL])[MODEL].limit == 5
    renew(traffic, B, most=8, proven=3)
    assert traffic.state([MODEL])[MODEL].limit == 5, "what is known to be borne stays known"
    renew(traffic, B, most=8, proven=8)
    assert traffic.state([MODEL])[MODEL].limit == 8, "the profile's bound holds"


def test_a_job_that_asks_again_has_one_seat(traffic: Traffic) -> None:
    assert enter(traffic, A, most=1) == enter(traffic, A, most=1)


def test_another_model_has_seats_of_its_own(traffic: Traffic) -> None:
    enter(traffic, A, most=1)
    assert enter(traffic, B, most=1, model="dogs").in_flight == 1


def test_the_seat_of_a_worker_that_died_is_free_once_its_lease_has_run_out(
    traffic: Traffic,
) -> None:
    enter(traffic, A, most=1, lease_s=0.2)
    assert refused(lambda: enter(traffic, B, most=1)).reason == "model-busy"
    time.sleep(0.25)
    assert enter(traffic, B, most=1).in_flight == 1


def test_a_server_that_was_given_way_takes_fewer_jobs_from_all_workers(traffic: Traffic) -> None:
    enter(traffic, A, most=4)
    renew(traffic, A, proven=4)
    assert traffic.state([MODEL])[MODEL].limit == 4
    renew(traffic, A, proven=4, gave_way=True)
    assert traffic.state([MODEL])[MODEL].limit == 2
    renew(traffic, A, gave_way=True)
    renew(traffic, A, gave_way=True)
    assert traffic.state([MODEL])[MODEL].limit == 1
    assert refused(lambda: enter(traffic, B, most=4)).reason == "model-busy"
    renew(traffic, A, proven=2)
    assert enter(traffic, B, most=4).in_flight == 2


def test_a_profile_that_allows_fewer_than_was_learned_holds(traffic: Traffic) -> None:
    enter(traffic, A, most=4)
    renew(traffic, A, proven=4)
    assert refused(lambda: enter(traffic, B, most=1)).reason == "model-busy"


def test_whoever_has_waited_longest_asks_again_first(traffic: Traffic) -> None:
    enter(traffic, A, most=1)
    waits = []
    for place in (3, 1, 2):
        asks = visitor(numbered(place + 100), since=float(place))
        for _ in range(2):
            # The second time all three are known.
            busy = refused_one(traffic, asks)
        waits.append((place, busy.retry_in_s))
    assert traffic.state([MODEL])[MODEL].waiting == 3
    least = {place: rules.ASK_AGAIN_S + rules.PER_PLACE_S * (place - 1) for place, _ in waits}
    # The third was the only one when it asked; the second knew of one before it.
    assert dict(waits)[1] >= least[1]
    assert dict(waits)[2] >= least[2]


def test_hundreds_that_wait_ask_no_more_often_than_a_few(traffic: Traffic) -> None:
    enter(traffic, A, most=1)
    waits = [
        refused_one(traffic, visitor(numbered(number), since=float(number))).retry_in_s
        for number in range(100, 500)
    ]
    # Times a second that all of them together would ask.
    assert sum(1 / wait_s for wait_s in waits) < 30
    assert max(waits) <= 1.5 * rules.LONGEST_WAIT_S


def test_failures_in_a_row_open_the_circuit_for_all_jobs_of_the_model(traffic: Traffic) -> None:
    assert open_circuit(traffic) == rules.OPEN_S
    busy = refused(lambda: enter(traffic, B))
    assert busy.reason == "circuit-open"
    assert busy.retry_in_s > rules.OPEN_S - 1
    assert refused(lambda: knock(traffic, B)).reason == "circuit-open"
    assert enter(traffic, B, model="dogs").in_flight == 2


def test_a_job_that_worked_between_failures_keeps_the_circuit_closed(traffic: Traffic) -> None:
    for _ in range(rules.FAILURES):
        leave(traffic, A, "failed")
        leave(traffic, A, "worked")
    assert enter(traffic, A).in_flight == 2


def test_what_says_nothing_of_the_model_does_not_count(traffic: Traffic) -> None:
    for _ in range(2 * rules.FAILURES):
        assert leave(traffic, A, "neither") == Left()
    assert enter(traffic, A).in_flight == 2


def test_one_job_tries_whether_the_model_works_again(traffic: Traffic, client: redis.Redis) -> None:
    open_circuit(traffic)
    client.hset("limelight::traffic:cats", "opened_until", 1)
    enter(traffic, A)
    assert refused(lambda: enter(traffic, B)).reason == "circuit-open"
    leave(traffic, A, "worked")
    assert enter(traffic, B).in_flight == 2
    assert traffic.state([MODEL])[MODEL].circuit_open_s == 0


def test_one_job_tries_already_by_asking_for_the_version(
    traffic: Traffic, client: redis.Redis
) -> None:
    open_circuit(traffic)
    client.hset("limelight::traffic:cats", "opened_until", 1)
    knock(traffic, A)
    assert refused(lambda: knock(traffic, B)).reason == "circuit-open"
    leave(traffic, A, "neither")
    knock(traffic, B)


def test_a_seat_that_is_left_is_kept_for_who_has_waited_longest(traffic: Traffic) -> None:
    enter(traffic, A, most=1)
    for who, since in ((B, 3.0), (C, 2.0)):
        refused_one(traffic, visitor(who, since=since))
    assert leave(traffic, A, most=1).called == C
    # Neither one that has just arrived nor one that waits gets it meanwhile.
    for who in (A, B):
        assert refused(lambda who=who: enter(traffic, who, most=1)).reason == "model-busy"
    assert enter(traffic, C, most=1).in_flight == 1


def test_a_seat_is_not_kept_for_ever_for_who_does_not_come(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "KEPT_S", 0.1)
    enter(traffic, A, most=1)
    refused(lambda: enter(traffic, B, most=1))
    assert leave(traffic, A, most=1).called == B
    time.sleep(0.15)
    assert enter(traffic, C, most=1).in_flight == 1


def test_nobody_is_called_while_the_circuit_is_open(traffic: Traffic) -> None:
    enter(traffic, A, most=1)
    refused(lambda: enter(traffic, B, most=1))
    open_circuit(traffic)
    assert leave(traffic, A, "neither", most=1) == Left()


def test_neither_queue_starves_while_jobs_of_both_wait(traffic: Traffic) -> None:
    enter(traffic, A, most=1)
    bulk = [numbered(number) for number in range(100, 110)]
    interactive = [numbered(number) for number in range(200, 210)]
    for queue, jobs in (("bulk", bulk), ("interactive", interactive)):
        for since, who in enumerate(jobs):
            refused_one(traffic, visitor(who, queue=queue, since=float(since)))
    called, seated = [], A
    for _ in range(8):
        seated = leave(traffic, seated, most=1).called
        assert seated is not None
        called.append(seated)
    assert called == [*interactive[:3], bulk[0], *interactive[3:6], bulk[1]]


def test_bulk_jobs_have_all_seats_while_no_interactive_one_waits(traffic: Traffic) -> None:
    enter(traffic, A, most=1)
    for who in (B, C):
        refused_one(traffic, visitor(who, queue="bulk"))
    assert {leave(traffic, A, most=1).called, leave(traffic, B, most=1).called} == {B, C}


def test_a_model_that_is_no_better_is_left_alone_for_longer_each_time(
    traffic: Traffic, client: redis.Redis
) -> None:
    opened = [open_circuit(traffic)]
    for _ in range(5):
        client.hset("limelight::traffic:cats", "opened_until", 1)
        enter(traffic, A)
        opened.append(leave(traffic, A, "failed").open_s)
    assert opened == [5, 10, 20, 40, 60, 60]
