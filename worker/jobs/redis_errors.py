"""What an error of Redis means to us: which may pass, which take an operator, which is a mistake.

Redis tells its condition by the first word of an error. Redis 6 hides that word where a script met
the error, pipelines and transactions put their own words before it, and redis-py takes it off some.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import redis
from redis.sentinel import MasterNotFoundError

from worker.jobs.errors import (
    StoreFull,
    StoreMisconfigured,
    StoreRefuses,
    StoreUnavailable,
)

NO_CLUSTER = (
    "Redis runs in cluster mode, which is not supported: use a single primary, or one behind "
    "Sentinel (redis+sentinel://)"
)
FULL = (
    "Redis has reached its maxmemory: raise it, or keep blobs in a folder or bucket "
    "(LIMELIGHT_BLOB_URL)"
)

# Conditions that pass, by themselves or by what is said.
_TEMPORARY: Mapping[str, str] = MappingProxyType(
    {
        "NOREPLICAS": "Redis takes no writes, because fewer replicas follow it than "
        "min-replicas-to-write asks for (NOREPLICAS): bring the replicas back, or lower it",
        "READONLY": "Redis is a replica and takes no writes (READONLY): promote it, or let "
        "LIMELIGHT_REDIS_URL lead to the primary (redis+sentinel:// follows a failover)",
        "MISCONF": "Redis takes no writes, because it cannot save to its disk (MISCONF): make room "
        "there, or mend what its log names",
        "LOADING": "Redis is still loading its data from disk (LOADING): it serves once that is "
        "done",
        "MASTERDOWN": "Redis is a replica that has lost its primary (MASTERDOWN): bring the "
        "primary back, or promote the replica",
        "UNBLOCKED": "Redis has just become a replica (UNBLOCKED): let LIMELIGHT_REDIS_URL lead to "
        "the primary (redis+sentinel:// follows a failover)",
        "BUSY": "Redis is busy with somebody's script (BUSY): let it end, or end it by SCRIPT KILL",
        "CLUSTERDOWN": f"{NO_CLUSTER}; and the cluster is down (CLUSTERDOWN)",
        "TRYAGAIN": f"{NO_CLUSTER}; and it is moving keys (TRYAGAIN)",
        "NOMASTER": "No sentinel of LIMELIGHT_REDIS_URL tells of a primary of that name: it may be "
        "failing over; else see that the sentinels run, and that name and sentinel_password are "
        "right",
        "MAXCLIENTS": "Redis has as many clients as it admits: raise its maxclients",
    }
)

# Conditions that last until an operator changes a setting, here or in Redis.
_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "NOAUTH": "Redis wants a password, and LIMELIGHT_REDIS_URL has none (NOAUTH): put it there",
        "WRONGPASS": "Redis refuses the user or the password of LIMELIGHT_REDIS_URL (WRONGPASS): "
        "correct it there or in Redis",
        "NOPASSWORD": "LIMELIGHT_REDIS_URL has a password, and Redis was given none: set "
        "requirepass or an ACL user there, or take the password away here",
        "NOPERM": "The Redis user of LIMELIGHT_REDIS_URL may not do all that is needed (NOPERM): "
        "give it the ACL rules of docs/operations.md",
        "DENIED": "Redis is in protected mode and lets nobody in from elsewhere (DENIED): give it "
        "a password, and LIMELIGHT_REDIS_URL the same",
        "DATABASE": "Redis has no database of the number in LIMELIGHT_REDIS_URL: name another, or "
        "raise its setting databases",
        "COMMAND": "Redis does not know a command that is needed: it must be 6.2 or later, with no "
        "command renamed or disabled",
        "NOREDIS": "What answers at LIMELIGHT_REDIS_URL does not speak as Redis does: correct the "
        "address, or its scheme (rediss:// for TLS)",
        "MOVED": NO_CLUSTER,
        "ASK": NO_CLUSTER,
        "CROSSSLOT": NO_CLUSTER,
    }
)

# Texts without a word of their own, or in which Redis 6.2 swallows it.
_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "max number of clients reached": "MAXCLIENTS",
        "without any password configured": "NOPASSWORD",
        "but no password is set": "NOPASSWORD",
        "invalid password": "WRONGPASS",
        "The user executing the script can't": "NOPERM",
        "DB index is out of range": "DATABASE",
        "SELECT is not allowed in cluster mode": "MOVED",
        "accessed a non local key in a cluster node": "MOVED",
        "unknown command": "COMMAND",
        "Unknown Redis command called from": "COMMAND",
        "command not allowed when used memory > 'maxmemory'": "OOM",
    }
)

# What redis-py makes of words that it takes off; the words matter more, and it keeps them beside.
_TYPES: Mapping[type[redis.RedisError], str] = MappingProxyType(
    {
        redis.BusyLoadingError: "LOADING",
        redis.ReadOnlyError: "READONLY",
        redis.OutOfMemoryError: "OOM",
        redis.exceptions.NoPermissionError: "NOPERM",
        redis.exceptions.MasterDownError: "MASTERDOWN",
        redis.exceptions.ClusterDownError: "CLUSTERDOWN",
        redis.exceptions.TryAgainError: "TRYAGAIN",
        redis.exceptions.ClusterCrossSlotError: "CROSSSLOT",
        redis.exceptions.AskError: "MOVED",
        redis.AuthenticationError: "WRONGPASS",
        redis.InvalidResponse: "NOREDIS",
        MasterNotFoundError: "NOMASTER",
    }
)

_KNOWN = "|".join(sorted({"OOM", *_TEMPORARY, *_SETTINGS}))
# Arguments of the command may stand here, which may be anything.
_PIPELINE = re.compile(r"^Command # .* of pipeline caused error: ", re.DOTALL)
# At the start, within a transaction that was discarded, or as a script of Redis 6 wraps it.
_WORD = re.compile(rf"(?:^|because of: |: -)({_KNOWN})\b")


def condition_of(error: redis.RedisError) -> str | None:
    """Return the word for the condition that Redis tells of, wrapped or not; None for any other."""
    text = _said(error)
    found = _WORD.search(text)
    if found is not None:
        return found[1]
    if error.status_code in (*_TEMPORARY, *_SETTINGS, "OOM"):
        return error.status_code
    told = next((word for part, word in _TEXTS.items() if part in text), None)
    return told or next((_TYPES[kind] for kind in type(error).__mro__ if kind in _TYPES), None)


def store_error(error: redis.RedisError) -> StoreUnavailable | None:
    """Turn an error of redis-py into one of ours; None if only a mistake of ours can cause it."""
    word, text = condition_of(error) or "", _said(error)
    if word == "OOM":
        return StoreFull(FULL)
    if word in _TEMPORARY:
        return StoreRefuses(_TEMPORARY[word], answer=text)
    if word in _SETTINGS:
        return StoreMisconfigured(_SETTINGS[word], answer=text)
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return StoreUnavailable(f"Redis cannot be reached: {text}")
    return None


def problem_of(error: redis.RedisError) -> str:
    """Say what is wrong and what to do, for those who may not know where Redis is."""
    found = store_error(error)
    if found is None:
        raise error
    return found.problem


def _said(error: redis.RedisError) -> str:
    if isinstance(error, MasterNotFoundError):
        # What follows describes the connections to the sentinels at length.
        return str(error).partition(" : ")[0]
    return _PIPELINE.sub("", str(error))
