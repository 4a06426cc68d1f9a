"""The condition of Redis and of the queues: what an operator, or a health page, asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis

from worker.jobs.client_store import NEARLY_FULL
from worker.jobs.connection import connect, store_errors
from worker.jobs.errors import StoreMisconfigured, StoreRefuses, StoreUnavailable
from worker.jobs.job import QueueName
from worker.jobs.keys import QUEUES, Keys
from worker.jobs.redis_errors import NO_CLUSTER, problem_of
from worker.jobs.settings import StoreSettings

_PROBE = "return redis.call('SETRANGE', KEYS[1], 0, '')"


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """The jobs that wait in one queue: how many, and for how long the oldest, in seconds."""

    depth: int
    oldest_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """Facts of one moment.

    Attributes
    ----------
    at : float
        The moment, in Unix seconds of Redis's clock.
    backlogs : mapping of queue to Backlog
    open_jobs : int
        Jobs that have not ended, those of the backlogs included.
    deliveries : int
        Webhook deliveries that are to be tried, now or later.
    memory_used, memory_limit : int
        Bytes; a limit of 0 means none.
    problems : tuple of str
        What is wrong with how Redis is set up or filled, each with its cure.
    refusal : str or None
        Why Redis takes no writes, with its cure: the first of the problems. None while it does.
    """

    at: float
    backlogs: Mapping[QueueName, Backlog]
    open_jobs: int
    deliveries: int
    memory_used: int
    memory_limit: int
    problems: tuple[str, ...]
    refusal: str | None = None


def read_condition(client: redis.Redis, *, prefix: str = "limelight") -> Condition:
    """Read all facts, and whether Redis takes writes, in one round trip.

    Raises
    ------
    StoreUnavailable
        If Redis does not answer, which is the first thing that anybody wants to know, or answers
        that it cannot serve. ``StoreMisconfigured`` if it is a cluster.
    """
    keys = Keys(prefix)
    with store_errors(), client.pipeline(transaction=False) as pipeline:
        pipeline.info("cluster")
        pipeline.time()
        pipeline.info("memory")
        pipeline.info("persistence")
        pipeline.zcard(keys.attention)
        pipeline.zcard(keys.deliveries)
        for queue in QUEUES:
            pipeline.zcard(keys.waiting(queue))
            pipeline.zrange(keys.waiting(queue), 0, 0, withscores=True)
        # A write that Redis refuses whenever it would refuse any, and that changes nothing: so
        # nothing goes to its disk or its replicas, however often it is asked. By a script, as
        # nearly all of ours are: a user may be allowed writes, and no scripts.
        pipeline.eval(_PROBE, 1, keys.probe)
        cluster, *facts, written = pipeline.execute(raise_on_error=False)
        if isinstance(cluster, Mapping) and int(cluster.get("cluster_enabled", 0)):
            raise StoreMisconfigured(NO_CLUSTER, answer="cluster_enabled:1")
        if error := next((one for one in (cluster, *facts) if isinstance(one, Exception)), None):
            raise error
    (seconds, micros), memory, persistence, open_jobs, deliveries, *counts = facts
    now = seconds + micros / 1e6
    used, limit = int(memory["used_memory"]), int(memory["maxmemory"])
    refusal = problem_of(written) if isinstance(written, redis.RedisError) else None
    found = _problems(memory, persistence, share=used / limit if limit else 0.0)
    return Condition(
        at=now,
        backlogs={
            queue: Backlog(depth=depth, oldest_s=max(0.0, now - oldest[0][1]) if oldest else 0.0)
            for queue, depth, oldest in zip(QUEUES, counts[::2], counts[1::2], strict=True)
        },
        open_jobs=open_jobs,
        deliveries=deliveries,
        memory_used=used,
        memory_limit=limit,
        problems=tuple(found if refusal is None else [refusal, *found]),
        refusal=refusal,
    )


def problems_at_start(settings: StoreSettings) -> tuple[str, ...]:
    """Tell what is wrong with Redis when a process starts; that it is away is one thing."""
    # A connection of its own, closed before processes that serve are forked.
    try:
        with connect(settings) as client:
            return read_condition(client).problems
    except StoreRefuses as error:
        return (error.problem,)
    except StoreUnavailable as error:
        reason = error.problem.removesuffix(".")
        return (f"{reason}. Jobs are served as soon as it can be reached",)


def refusal_now(settings: StoreSettings) -> str | None:
    """Say why Redis takes no writes; None while it does, and while it cannot be reached."""
    try:
        with connect(settings) as client:
            return read_condition(client).refusal
    except StoreRefuses as error:
        return error.problem
    except StoreUnavailable:
        return None


def _problems(
    memory: Mapping[str, Any], persistence: Mapping[str, Any], *, share: float
) -> list[str]:
    problems = []
    policy = memory["maxmemory_policy"]
    # Whatever the policy, nothing is evicted while there is no limit.
    if policy != "noeviction" and int(memory["maxmemory"]):
        problems.append(
            f"Redis may evict accepted jobs (maxmemory-policy {policy}): set it to noeviction"
        )
    if not int(persistence["aof_enabled"]):
        problems.append("Redis loses accepted jobs when it restarts: set appendonly to yes")
    if share >= NEARLY_FULL:
        problems.append(
            f"Redis uses {share:.0%} of its maxmemory, so new jobs are refused: raise it, or keep "
            "blobs in a folder or bucket (LIMELIGHT_BLOB_URL)"
        )
    return problems
