"""When to try again, and how long to wait before."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Too many requests; and what a service or a proxy says that is starting, full or restarting.
RETRIED_STATUSES = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How often and how long one call is tried.

    Attributes
    ----------
    deadline_s : float
        No try starts later than this after the first. 0 means a single try.
    first_s, longest_s : float
        Wait before the second try; it doubles with each further one, up to the longest.
    jitter : callable
        Random numbers in [0, 1), so that clients that failed together do not come back together.
    """

    deadline_s: float = 60.0
    first_s: float = 0.5
    longest_s: float = 15.0
    jitter: Callable[[], float] = random.random

    def delay_s(self, attempt: int, *, retry_after_s: float | None) -> float:
        """Seconds to wait after the attempt of this number, counted from 1.

        Never less than the service asked for; what chance adds comes on top of it.
        """
        backoff = min(self.longest_s, self.first_s * 2.0 ** min(attempt - 1, 30))
        if retry_after_s is None:
            return backoff * (1 + self.jitter()) / 2
        return retry_after_s + self.first_s * self.jitter()


def read_retry_after(text: str | None, *, now: datetime) -> float | None:
    """Seconds that a ``Retry-After`` header asks for: a count, or until a date (RFC 9110, 10.2.3).

    Returns None for no header and for one that cannot be read.
    """
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - now).total_seconds())
