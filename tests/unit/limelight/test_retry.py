from __future__ import annotations

from datetime import UTC, datetime

import pytest

from limelight import RetryPolicy
from limelight.retry import read_retry_after

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        (" 12 ", 12.0),
        ("Fri, 02 Jan 2026 03:04:35 GMT", 30.0),
        ("Fri, 02 Jan 2026 03:04:35 -0000", 30.0),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("\u0663", None),
        ("9" * 400, 999_999_999.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, seconds):
    assert read_retry_after(text, now=NOW) == seconds


def test_waits_double_up_to_the_longest():
    policy = RetryPolicy(first_s=1, longest_s=5, jitter=lambda: 1.0)
    waits = [policy.delay_s(attempt, retry_after_s=None) for attempt in (1, 2, 3, 4, 5000)]
    assert waits == [1, 2, 4, 5, 5]


def test_chance_never_makes_a_wait_shorter_than_what_was_asked_for():
    for chance in (0.0, 0.5, 0.999):
        policy = RetryPolicy(jitter=lambda chance=chance: chance)
        assert 10 <= policy.delay_s(1, retry_after_s=10) < 11
