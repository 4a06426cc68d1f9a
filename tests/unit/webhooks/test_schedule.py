from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from worker.webhooks.schedule import DELAYS_S, JITTER, Outcome, Step, next_step, retry_after

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
FAILED = Outcome(status_code=500, error="status")


def step(outcome: Outcome, *, tries: int, seed: int = 1) -> Step:
    return next_step(outcome, tries=tries, rng=random.Random(seed))


def test_there_are_ten_tries_over_three_days() -> None:
    assert len(DELAYS_S) == 10
    assert DELAYS_S[0] == 0
    assert sum(DELAYS_S) == pytest.approx(75.6 * 3600, rel=0.01)


@pytest.mark.parametrize("tries", range(1, 10))
def test_each_delay_is_the_schedule_s_with_jitter(tries: int) -> None:
    delays = [step(FAILED, tries=tries, seed=seed).delay_s for seed in range(50)]
    expected = DELAYS_S[tries]
    assert all(expected * (1 - JITTER) <= delay <= expected * (1 + JITTER) for delay in delays)
    assert max(delays) - min(delays) > expected * JITTER
    assert step(FAILED, tries=tries).state == "pending"


def test_after_the_tenth_try_it_is_given_up() -> None:
    assert step(FAILED, tries=10) == Step(state="undeliverable")


@pytest.mark.parametrize("tries", [1, 10])
def test_an_answer_in_the_two_hundreds_delivers(tries: int) -> None:
    assert step(Outcome(status_code=204), tries=tries) == Step(state="delivered")


@pytest.mark.parametrize(
    "outcome", [Outcome(status_code=410, error="status"), Outcome(error="erased")]
)
def test_a_receiver_or_a_job_that_is_gone_ends_it_at_once(outcome: Outcome) -> None:
    assert step(outcome, tries=1) == Step(state="undeliverable")


def test_a_receiver_may_ask_for_more_time_but_not_for_less() -> None:
    asked = Outcome(status_code=429, error="status", retry_after_s=600.0)
    assert step(asked, tries=1).delay_s == 600.0
    assert step(asked, tries=4).delay_s > 6000.0


def test_a_receiver_cannot_ask_for_more_than_a_day() -> None:
    asked = Outcome(status_code=503, error="status", retry_after_s=1e9)
    assert step(asked, tries=1).delay_s == 86_400.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        ("0", 0.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("99999999999999999999", None),
        ("Sun, 22 Nov 2026 12:10:00 GMT", 600.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2026 12:10:00 -0000", 600.0),
        ("Sun, 99 Nov 2026 12:10:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    text: str | None, seconds: float | None
) -> None:
    assert retry_after(text, now=NOW) == seconds
