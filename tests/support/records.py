"""Job records made and aged for tests, in a real Redis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis

from worker.jobs.job import Job, JobRef, JobRequest, UploadedImage
from worker.jobs.keys import Keys
from worker.jobs.store import Store

REQUEST = JobRequest(
    model="efficientnet-lite0",
    classes={"top": 2},
    preset="default",
    options={"samples": 100, "segmentation": {"method": "slic", "n_segments": 50}},
    overlays=({"style": "signed", "format": "png"},),
    metadata={"ticket": "4711"},
)
IMAGE = UploadedImage(sha256="ab" * 32, width=451, height=300)
FIELD = {"lease": "lease_until", "deadline": "deadline_at", "wait": "not_before"}


@dataclass(frozen=True)
class Bench:
    """A store under test, and hands that reach past it: into the past, or the client's wishes."""

    store: Store
    client: redis.Redis
    keys: Keys

    def create(self, ref: JobRef | None = None, **changes: Any) -> Job:
        """Create a job with defaults."""
        arguments = {
            "ref": ref or JobRef.new(),
            "queue": "interactive",
            "request": REQUEST,
            "image": IMAGE,
            "deadline_s": 3600.0,
            "retention_s": 600,
        }
        return self.store.create(**{**arguments, **changes})

    def run_out(self, ref: JobRef, what: str) -> None:
        """Let a lease, a deadline or a wait have run out long ago."""
        self.client.hset(self.keys.job(ref), FIELD[what], "1.0")
        schedule = self.keys.deadlines if what == "deadline" else self.keys.attention
        self.client.zadd(schedule, {str(ref): 1.0}, xx=True)

    def neglect(self, ref: JobRef) -> None:
        """Let the time have come when somebody has to look at the job."""
        self.client.zadd(self.keys.attention, {str(ref): 1.0}, xx=True)

    def pass_retention(self, ref: JobRef) -> None:
        """Let the job have been kept for as long as was promised."""
        self.client.zadd(self.keys.retention, {str(ref): 1.0}, xx=True)

    def request_cancel(self, ref: JobRef) -> None:
        """Ask for a cancel, as the client of a running job will."""
        self.client.hset(self.keys.job(ref), "cancel_requested", "1")

    def dump(self) -> dict[bytes, Any]:
        """Everything in Redis by value, to see that nothing has changed."""
        readers: dict[bytes, Callable[[bytes], Any]] = {
            b"hash": self.client.hgetall,
            b"set": self.client.smembers,
            b"stream": self.client.xrange,
            b"string": self.client.get,
            b"zset": lambda key: self.client.zrange(key, 0, -1, withscores=True),
        }
        return {key: readers[self.client.type(key)](key) for key in self.client.scan_iter()}
