"""References through a real broker to a real worker process."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from tests.support.private_redis import messages, private_redis
from worker.jobs.connection import connect
from worker.jobs.errors import QueueUnavailable
from worker.jobs.job import JobRef
from worker.jobs.queue import Queue, celery_app
from worker.jobs.settings import StoreSettings

pytestmark = pytest.mark.integration

# Writes what it was given to a list that the test reads.
WORKER = """
import sys
from worker.jobs.connection import connect
from worker.jobs.queue import TASK_NAME, celery_app
from worker.jobs.settings import StoreSettings

settings = StoreSettings(redis_url=sys.argv[1])
app = celery_app(settings)

@app.task(name=TASK_NAME)
def explain(ref):
    connect(settings).rpush("got", ref)

app.worker_main(["worker", "--pool=prefork", "--concurrency=1", "--without-gossip",
                 "--without-mingle", "--loglevel=WARNING"])
"""


def eventually(condition: Callable[[], bool], *, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_the_message_is_the_reference_and_nothing_else(
    settings: StoreSettings, client: redis.Redis
) -> None:
    ref = JobRef.new()
    Queue(celery_app(settings)).publish(ref, "bulk")
    assert list(client.scan_iter()) == [messages("bulk").encode()]
    message = json.loads(client.lindex(messages("bulk"), 0))
    arguments, keywords, _ = json.loads(base64.b64decode(message["body"]))
    assert (arguments, keywords) == ([str(ref)], {})
    assert message["headers"]["task"] == "limelight.explain"
    assert message["headers"]["eta"] is None


def test_publishing_is_one_command(settings: StoreSettings, client: redis.Redis) -> None:
    queue = Queue(celery_app(settings))
    queue.publish(JobRef.new(), "interactive")
    client.config_resetstat()
    queue.publish(JobRef.new(), "interactive")
    stats = client.info("commandstats")
    assert {name: stat["calls"] for name, stat in stats.items() if "config" not in name} == {
        "cmdstat_lpush": 1
    }


def test_a_broker_that_is_down_is_said_soon_and_used_again_later(tmp_path: Path) -> None:
    with private_redis(tmp_path) as server:
        queue = Queue(celery_app(StoreSettings(redis_url=server.url)))
        queue.publish(JobRef.new(), "interactive")
        server.kill()
        started = time.monotonic()
        with pytest.raises(QueueUnavailable):
            queue.publish(JobRef.new(), "interactive")
        assert time.monotonic() - started < 3
        server.start()
        queue.publish(JobRef.new(), "interactive")
        assert redis.Redis.from_url(server.url).llen(messages("interactive")) == 1


def test_a_worker_takes_interactive_jobs_mostly_and_goes_on_after_redis_was_emptied(
    redis_url: str, settings: StoreSettings
) -> None:
    queue, client = Queue(celery_app(settings)), connect(settings)
    bulk, later, called = ([JobRef.new() for _ in range(3)] for _ in range(3))
    interactive = [JobRef.new() for _ in range(6)]
    for ref in bulk:
        queue.publish(ref, "bulk")
    for ref in interactive:
        queue.publish(ref, "interactive")
    for ref in called:
        queue.publish(ref, "bulk", is_called=True)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, redis_url], env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )
    try:
        eventually(lambda: client.llen("got") == 12)
        got = [JobRef.parse(text.decode()) for text in client.lrange("got", 0, -1)]
        assert got[:3] == called
        assert got[3:] == [*interactive[:3], bulk[0], *interactive[3:], *bulk[1:]]
        client.flushall()
        for ref in later:
            queue.publish(ref, "interactive")
        eventually(lambda: client.llen("got") == 3)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(timeout=20)
