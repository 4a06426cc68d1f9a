"""When a delivery is tried again, and when it is given up."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from worker.webhooks.outbox import State

# Seconds before each try: at once, then after the one before it has failed. Three days in all.
DELAYS_S = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
# Each delay may be so much shorter or longer, so that what failed together is not tried together.
JITTER = 0.1
LONGEST_WAIT_S = float(DELAYS_S[-1])
_SECONDS = re.compile(r"[0-9]{1,9}\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of one try.

    Attributes
    ----------
    status_code : int or None
        None if there was no answer.
    error : str or None
        None if it was delivered. Else one of ``status`` (an answer that is no 2xx), ``redirect``,
        ``bad-url``, ``address-refused``, ``unresolved``, ``unreachable``, ``tls``, ``timeout``,
        ``bad-answer``, ``answer-too-large``, ``erased`` (the job is gone), ``internal``.
    detail : str or None
        What went wrong, for whoever owns the receiver: no address of ours or theirs.
    retry_after_s : float or None
        How long the receiver asks to be left alone.
    """

    status_code: int | None = None
    error: str | None = None
    detail: str | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What becomes of a delivery after a try, and in how many seconds it is tried again."""

    state: State
    delay_s: float = 0.0


def next_step(outcome: Outcome, *, tries: int, rng: random.Random) -> Step:
    """Decide after a try.

    Parameters
    ----------
    outcome : Outcome
    tries : int
        How many there have been, this one included.
    rng : random.Random
        For the jitter.
    """
    if outcome.error is None:
        return Step(state="delivered")
    over = outcome.status_code == HTTPStatus.GONE or outcome.error == "erased"
    if over or tries >= len(DELAYS_S):
        return Step(state="undeliverable")
    delay_s = DELAYS_S[tries] * rng.uniform(1 - JITTER, 1 + JITTER)
    asked_s = min(outcome.retry_after_s or 0.0, LONGEST_WAIT_S)
    return Step(state="pending", delay_s=max(delay_s, asked_s))


def retry_after(text: str | None, *, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110): seconds or a date; None if it is neither."""
    if text is None:
        return None
    if _SECONDS.match(text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    # A date without an offset is in UTC.
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - now).total_seconds())
