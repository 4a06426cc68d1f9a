"""Jobs that end, and dispatchers that tell of it, within the test or as a process of their own."""

from __future__ import annotations

import os
import random
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import redis
from prometheus_client import CollectorRegistry

from tests.support.records import REQUEST, Bench
from worker.jobs.job import JobRef, Webhook
from worker.webhooks.addresses import Policy, parse_network
from worker.webhooks.delivery import Sender
from worker.webhooks.dispatcher import Dispatcher
from worker.webhooks.metrics import WebhookMetrics
from worker.webhooks.outbox import Delivery, Member, Outbox
from worker.webhooks.signing import SecretStore
from worker.webhooks.slots import Slots

ROOT = Path(__file__).resolve().parents[3]
LOCAL = Policy(allow_http=True, networks=(parse_network("127.0.0.0/8"),))
RESULT = {
    "model": {"name": "efficientnet-lite0", "version": 1, "signature": "serving_default"},
    "explanations": [{"class_index": 285, "class_name": "Egyptian cat", "score": 0.771}],
}
SUCCEEDED = ("explanation.succeeded",)


def finish_job(
    bench: Bench,
    url: str,
    *,
    events: tuple[str, ...] = SUCCEEDED,
    result: Any = RESULT,
    **changes: Any,
) -> JobRef:
    """Let a job with a webhook succeed."""
    request = replace(REQUEST, webhook=Webhook(url=url, events=events))
    ref = bench.create(request=request, **changes).ref
    bench.store.succeed(bench.store.claim(ref, worker="w", lease_s=30), result)
    return ref


@contextmanager
def dispatching(
    bench: Bench,
    *,
    timeout_s: float = 15.0,
    policy: Policy = LOCAL,
    threads: int = 64,
    per_host: int = 8,
) -> Iterator[None]:
    """Run a dispatcher in a thread."""
    dispatcher = Dispatcher(
        outbox=Outbox(bench.client),
        jobs=bench.store,
        secrets=SecretStore(bench.client),
        sender=Sender(tls=_tls(), timeout_s=timeout_s, resolve=lambda host, _: [host]),
        watch=WebhookMetrics(CollectorRegistry()),
        policy_of=lambda _: policy,
        slots=Slots(total=threads, per_host=per_host),
        threads=threads,
        lease_s=2 * timeout_s,
        user_agent="Limelight/test",
        rng=random.Random(1),
    )
    stop = threading.Event()
    thread = threading.Thread(target=dispatcher.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive()


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


@contextmanager
def process(redis_url: str, log: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``limelight-webhooks``; what the test has not ended is killed."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LIMELIGHT_")},
        "LIMELIGHT_REDIS_URL": redis_url,
        "LIMELIGHT_WEBHOOK_ALLOW_HTTP": "true",
        "LIMELIGHT_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        **{f"LIMELIGHT_{name.upper()}": value for name, value in settings.items()},
    }
    with log.open("ab") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "worker.webhooks.main"],
            cwd=ROOT,
            env=environment,
            stderr=output,
        )
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()
            running.wait()


def wait_until(ready: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < deadline, "it did not come to this in time"
        time.sleep(0.01)


def deliveries(client: redis.Redis, ref: JobRef) -> tuple[Delivery, ...]:
    """Return what the log says of a job."""
    log = Outbox(client).log(ref)
    return () if log is None else log.deliveries


def wait_for_attempts(client: redis.Redis, ref: JobRef, count: int) -> Delivery:
    """Wait until the last event of a job has been tried so often, and return it."""
    wait_until(lambda: len(deliveries(client, ref)[-1].attempts) >= count)
    return deliveries(client, ref)[-1]


def make_due(bench: Bench) -> None:
    """Let the next try of every delivery be now, except of those that are being tried."""
    for name in bench.client.zrange(bench.keys.deliveries, 0, -1):
        member = Member.parse(name.decode())
        keys = [bench.keys.outbox(member.ref), bench.keys.deliveries]
        bench.client.eval(_MAKE_DUE, 2, *keys, f"{member.status}:lease", name)


_MAKE_DUE = """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  redis.call('ZADD', KEYS[2], 'XX', 1, ARGV[2])
end
"""
