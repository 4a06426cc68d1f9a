"""The one place where Redis is connected to, and where its errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from worker.jobs.errors import StoreFull, StoreUnavailable
from worker.jobs.settings import StoreSettings

# Redis answers within milliseconds. When a worker's peer has vanished, it waits in vain for a
# message, and then for the job's record: both together must be over within 15 s.
SOCKET_TIMEOUT_S = 3.0

# Answers of a Redis that is there but cannot serve now; each may pass.
_UNAVAILABLE = (
    redis.ConnectionError,  # Includes BusyLoadingError and refused passwords.
    redis.TimeoutError,
    redis.ReadOnlyError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.MasterDownError,
    redis.exceptions.TryAgainError,
)


def connect(settings: StoreSettings) -> redis.Redis:
    """Make a client for the store and the blobs; nothing is sent before the first call.

    Answers are bytes: the store decodes what is text, and blobs are not. Every call ends in time:
    a peer that vanished without closing would otherwise hold a caller for good. One retry, so that
    a connection that Redis closed while it idled costs nothing, and a Redis that is down is
    reported after at most two timeouts. All scripts may therefore run twice: they are written so.
    """
    return redis.Redis.from_url(
        settings.redis_url,
        decode_responses=False,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        socket_keepalive=True,
        health_check_interval=3,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 1),
    )


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn what redis-py raises into ``StoreUnavailable`` and ``StoreFull``.

    An answer that only a mistake of ours can cause, such as a script with a syntax error, passes
    unchanged.
    """
    try:
        yield
    except redis.RedisError as error:
        text = str(error)
        # A type of its own, except from a script on Redis 6, which wraps the text.
        if "command not allowed when used memory > 'maxmemory'" in text:
            raise StoreFull("Redis has reached its maxmemory") from error
        if isinstance(error, _UNAVAILABLE) or text.startswith("MISCONF"):
            raise StoreUnavailable(f"Redis cannot be used: {text}") from error
        raise
