"""The one place where Redis is connected to, and where its errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from worker.jobs.credentials import credentials_of
from worker.jobs.redis_errors import store_error
from worker.jobs.redis_url import parse
from worker.jobs.settings import StoreSettings

# Redis answers within milliseconds. When a worker's peer has vanished, it waits in vain for a
# message, for the job's record, and to call the next job: all together must be over within 15 s.
SOCKET_TIMEOUT_S = 2.0


def connect(settings: StoreSettings) -> redis.Redis:
    """Make a client for the store and the blobs; nothing is sent before the first call.

    Answers are bytes: the store decodes what is text, and blobs are not. Every call ends in time:
    a peer that vanished without closing would otherwise hold a caller for good. One retry, so that
    a connection that Redis closed while it idled costs nothing, and a Redis that is down is
    reported after at most two timeouts. All scripts may therefore run twice: they are written so.
    """
    where = parse(settings.redis_url)
    options: dict[str, Any] = {
        "db": where.db,
        "credential_provider": credentials_of(settings),
        "decode_responses": False,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "retry": Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 1),
    }
    if where.socket is not None:
        return redis.Redis(unix_socket_path=where.socket, **options)
    # A dead peer is noticed while the connection idles, too. Over a socket file nobody vanishes.
    # No health checks: their PING is refused by a Redis that cannot save, which still reads.
    options |= {
        "socket_connect_timeout": SOCKET_TIMEOUT_S,
        "socket_keepalive": True,
        **where.encryption,
    }
    if where.master is None:
        host, port = where.hosts[0]
        return redis.Redis(host=host, port=port, **options)
    sentinels = redis.Sentinel(  # type: ignore[no-untyped-call]
        list(where.hosts),
        sentinel_kwargs=sentinel_options(settings),
        **options,
    )
    # Asks the sentinels anew for each connection that it opens, so a failover is followed.
    master = sentinels.master_for(where.master)  # type: ignore[no-untyped-call]
    return cast("redis.Redis", master)


def sentinel_options(settings: StoreSettings) -> dict[str, Any]:
    """Return redis-py's arguments for connections to the sentinels themselves."""
    return {
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": SOCKET_TIMEOUT_S,
        "credential_provider": credentials_of(settings, of_sentinels=True),
        **parse(settings.redis_url).encryption,
    }


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn what redis-py raises into ``StoreUnavailable``, its kinds, and ``StoreFull``.

    An answer that only a mistake of ours can cause, such as a script with a syntax error, passes
    unchanged.
    """
    try:
        yield
    except redis.RedisError as error:
        ours = store_error(error)
        if ours is None:
            raise
        raise ours from error
