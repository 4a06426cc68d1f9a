from __future__ import annotations

import errno

import obstore.exceptions
import pytest
import redis

from worker.jobs.connection import connect, store_errors
from worker.jobs.errors import StoreFull, StoreUnavailable
from worker.jobs.object_blobs import _blob_errors
from worker.jobs.settings import StoreSettings


@pytest.mark.parametrize(
    "error",
    [
        redis.ConnectionError("Error 111 connecting"),
        redis.TimeoutError("Timeout reading from socket"),
        redis.BusyLoadingError("Redis is loading the dataset in memory"),
        redis.AuthenticationError("WRONGPASS"),
        redis.exceptions.NoPermissionError("this user has no permissions to run 'info'"),
        redis.ReadOnlyError("You can't write against a read only replica."),
        redis.ResponseError("MISCONF Redis is configured to save RDB snapshots"),
    ],
)
def test_a_redis_that_cannot_serve_is_unavailable(error: redis.RedisError) -> None:
    with pytest.raises(StoreUnavailable) as raised, store_errors():
        raise error
    assert raised.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        redis.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
        redis.ResponseError(
            "Error running script (call to f_1): @user_script:52: -OOM command not allowed when "
            "used memory > 'maxmemory'."
        ),
    ],
)
def test_a_redis_at_its_limit_is_full(error: redis.RedisError) -> None:
    with pytest.raises(StoreFull), store_errors():
        raise error


def test_a_mistake_of_ours_passes_unchanged() -> None:
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"), store_errors():
        raise redis.ResponseError("WRONGTYPE Operation against a key")


def test_every_call_ends_in_time_and_answers_are_bytes() -> None:
    options = connect(StoreSettings()).connection_pool.connection_kwargs
    assert options["socket_timeout"] == options["socket_connect_timeout"] == 2
    assert options["socket_keepalive"] is True
    assert options["decode_responses"] is False
    # Two tries of two seconds each leave time within the fifteen of a half-open connection.
    assert options["retry"].get_retries() == 1


def test_a_disk_without_space_is_full_and_other_trouble_is_unavailable() -> None:
    text = f"Unable to copy data to file: No space left on device (os error {errno.ENOSPC})"
    with pytest.raises(StoreFull), _blob_errors():
        raise obstore.exceptions.GenericError(text)
    for error in (OSError(errno.EACCES, "no"), obstore.exceptions.PermissionDeniedError("no")):
        with pytest.raises(StoreUnavailable), _blob_errors():
            raise error
