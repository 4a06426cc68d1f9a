"""The pace on servers that are simulated: what a call takes is a formula of this file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from worker.serving.pace import Learned, Pace

Seconds = Callable[[int, int], float]


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def one_after_another(rows: int, in_flight: int) -> float:
    """A processor: 12 ms an image, and calls wait for each other."""
    return 0.012 * rows * in_flight


def side_by_side(rows: int, in_flight: int) -> float:
    """A large accelerator: 8 ms a call and little an image, several calls at once for nothing."""
    return 0.008 + 0.0002 * rows


def make(clock: Clock, **changes: object) -> Pace:
    bounds = {"most_images": 64, "most_in_flight": 4, "target_s": 0.1, "clock": clock}
    return Pace(**{**bounds, **changes})


def run(pace: Pace, clock: Clock, seconds: Seconds, *, lasts_s: float) -> list[int]:
    """Make calls for a while; return how many were in flight at each."""
    end, used = clock.now + lasts_s, []
    while clock.now < end:
        took = seconds(pace.images, pace.in_flight)
        used.append(pace.in_flight)
        clock.now += took / pace.in_flight
        pace.observe(rows=pace.images, seconds=took, status="OK")
        clock.now += pace.pause_s
    return used


def test_a_call_to_a_processor_takes_no_longer_than_the_target() -> None:
    clock = Clock()
    pace = make(clock, most_in_flight=1)
    run(pace, clock, one_after_another, lasts_s=30)
    assert pace.images == 8
    assert one_after_another(pace.images, 1) <= 0.1


@pytest.mark.parametrize("first", [1, 64])
def test_the_size_of_calls_is_found_from_below_and_from_above(first: int) -> None:
    clock = Clock()
    learned = Learned(images=first, in_flight=1)
    pace = make(clock, most_in_flight=1, learned=learned)
    run(pace, clock, one_after_another, lasts_s=60)
    assert pace.images == 8


def test_calls_are_not_made_ever_smaller_where_that_makes_none_of_them_quicker() -> None:
    far_away: Seconds = lambda rows, _: 0.15 + 0.001 * rows  # noqa: E731
    clock = Clock()
    pace = make(clock)
    run(pace, clock, far_away, lasts_s=120)
    assert (pace.images, pace.in_flight) == (8, 4)


def test_what_a_call_costs_whatever_is_in_it_does_not_keep_calls_small() -> None:
    clock = Clock()
    pace = make(clock, target_s=0.05, learned=Learned(images=1, in_flight=1))
    run(pace, clock, lambda rows, _: 0.03 + 0.0002 * rows, lasts_s=60)
    assert pace.images == 64


def test_a_server_that_is_near_again_is_asked_in_calls_that_fit() -> None:
    clock = Clock()
    pace = make(clock, most_in_flight=1, learned=Learned(images=32, in_flight=1))
    run(pace, clock, lambda rows, _: 0.4 + 0.001 * rows, lasts_s=30)
    run(pace, clock, one_after_another, lasts_s=120)
    assert pace.images == 8


def test_a_second_call_beside_the_first_is_rare_where_it_wins_nothing() -> None:
    clock = Clock()
    pace = make(clock)
    used = run(pace, clock, one_after_another, lasts_s=600)
    assert sum(one > 1 for one in used) < 0.05 * len(used)


def test_calls_go_side_by_side_where_that_costs_nothing() -> None:
    clock = Clock()
    pace = make(clock)
    run(pace, clock, side_by_side, lasts_s=60)
    assert (pace.images, pace.in_flight) == (64, 4)


def test_what_is_proven_is_what_cost_nothing_for_a_while() -> None:
    clock = Clock()
    pace = make(clock, most_in_flight=2)
    while pace.in_flight == 1:
        run(pace, clock, side_by_side, lasts_s=0.001)
    assert pace.proven == 1, "it is tried"
    run(pace, clock, side_by_side, lasts_s=1)
    assert pace.proven == 2
    run(pace, clock, lambda rows, k: 2 * side_by_side(rows, k), lasts_s=1)
    assert pace.proven == 1


def test_on_a_processor_one_call_at_a_time_is_all_that_is_ever_proven() -> None:
    clock = Clock()
    pace = make(clock)
    for _ in range(60):
        run(pace, clock, one_after_another, lasts_s=10)
        assert pace.proven == 1


def test_a_second_call_is_judged_by_what_calls_take_without_it_whatever_their_size() -> None:
    jittery = iter(range(1_000_000))
    clock = Clock()
    pace = make(clock, most_in_flight=2)
    seconds: Seconds = lambda rows, k: (  # noqa: E731
        (0.004 + 0.006 * rows) * k * (1.0 + 0.1 * (next(jittery) % 5))
    )
    for _ in range(120):
        run(pace, clock, seconds, lasts_s=5)
        assert pace.proven == 1
    assert pace.images in (8, 12)


def test_a_trial_waits_while_other_jobs_leave_no_room_for_it() -> None:
    clock = Clock()
    pace = make(clock, most_in_flight=2)
    while pace.in_flight == 1:
        run(pace, clock, side_by_side, lasts_s=0.001)
    pace.at_once(1)
    run(pace, clock, side_by_side, lasts_s=10)
    assert pace.proven == 1
    pace.at_once(2)
    run(pace, clock, side_by_side, lasts_s=10)
    assert pace.proven == 2


def test_with_two_calls_in_flight_a_slower_server_gets_one_before_it_gets_smaller_ones() -> None:
    clock = Clock()
    pace = make(clock, most_in_flight=2)
    run(pace, clock, side_by_side, lasts_s=30)
    images = pace.images
    while pace.in_flight == 2:
        run(pace, clock, lambda rows, k: 0.2, lasts_s=0.01)
    assert pace.images == images


def test_no_more_calls_are_tried_or_proven_than_other_jobs_leave_room_for() -> None:
    clock = Clock()
    pace = make(clock)
    assert pace.at_once(1) == 1
    run(pace, clock, side_by_side, lasts_s=60)
    assert (pace.in_flight, pace.proven) == (1, 1)
    assert pace.at_once(3) == 1
    run(pace, clock, side_by_side, lasts_s=60)
    assert (pace.in_flight, pace.proven) == (3, 3)
    assert [pace.at_once(2), pace.at_once(0)] == [2, 1]


def test_a_server_that_gets_slower_is_given_way_and_asked_for_more_when_it_recovers() -> None:
    clock = Clock()
    pace = make(clock, most_in_flight=1)
    quick: Seconds = lambda rows, _: 0.001 * rows  # noqa: E731
    run(pace, clock, quick, lasts_s=60)
    before = pace.images
    run(pace, clock, lambda rows, k: 2.0 * quick(rows, k), lasts_s=1)
    assert pace.images < before
    run(pace, clock, quick, lasts_s=120)
    assert pace.images == before


def test_one_slow_call_is_no_reason_to_give_way() -> None:
    clock = Clock()
    pace = make(clock, most_in_flight=1, learned=Learned(images=8, in_flight=1), target_s=0.012)
    for seconds in [0.01, 0.01, 0.019, 0.01, 0.019, 0.01]:
        pace.observe(rows=8, seconds=seconds, status="OK")
    assert pace.images == 8


@pytest.mark.parametrize("status", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_a_server_that_pushes_back_gets_fewer_calls_then_smaller_ones(status: str) -> None:
    clock = Clock()
    pace = make(clock, learned=Learned(images=32, in_flight=4))
    seen = []
    for _ in range(4):
        pace.observe(rows=32, seconds=0.001, status=status)
        seen.append((pace.in_flight, pace.images))
    assert seen == [(2, 32), (1, 32), (1, 16), (1, 8)]


def test_other_errors_are_not_taken_for_load() -> None:
    pace = make(Clock(), learned=Learned(images=32, in_flight=4))
    pace.observe(rows=32, seconds=9.0, status="INVALID_ARGUMENT")
    assert pace.learned == Learned(images=32, in_flight=4)


def test_bounds_of_the_profile_hold_for_what_was_learned_elsewhere() -> None:
    pace = make(Clock(), most_images=20, most_in_flight=2, learned=Learned(images=64, in_flight=9))
    assert pace.learned == Learned(images=16, in_flight=2)


def test_the_polite_leave_the_server_alone_for_most_of_the_time() -> None:
    clock = Clock()
    pace = make(clock, polite=True)
    busy, began = 0.0, clock.now
    while clock.now < began + 60:
        took = one_after_another(pace.images, pace.in_flight)
        assert took <= 0.025
        busy += took
        clock.now += took
        pace.observe(rows=pace.images, seconds=took, status="OK")
        clock.now += pace.pause_s
    assert busy / (clock.now - began) == pytest.approx(0.05, abs=0.01)
