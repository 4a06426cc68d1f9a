"""The names of everything in Redis. What belongs to a tenant carries the tenant in its key."""

from __future__ import annotations

from dataclasses import dataclass

from worker.jobs.job import JobRef, QueueName

QUEUES: tuple[QueueName, ...] = ("interactive", "bulk")


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys below one prefix.

    The schedules (``attention``, ``deadlines``, ``retention``, ``waiting``, ``unowned``) are the
    sweeper's, which works for all tenants: their members are references, tenant included. What a
    tenant may see is found through the tenant's own indexes, ``open`` and ``jobs``.
    """

    prefix: str

    def job(self, ref: JobRef) -> str:
        """Hash: the job record."""
        return f"{self.prefix}:{ref.tenant}:job:{ref.id}"

    def events(self, ref: JobRef) -> str:
        """Stream: what happened to the job, the latest entries."""
        return f"{self.prefix}:{ref.tenant}:events:{ref.id}"

    def tombstone(self, ref: JobRef) -> str:
        """Key with a time to live: the job was erased."""
        return f"{self.prefix}:{ref.tenant}:tombstone:{ref.id}"

    def blobs(self, ref: JobRef) -> str:
        """Hash: the blobs that a job made, where they are kept in Redis."""
        return f"{self.prefix}:{ref.tenant}:blobs:{ref.id}"

    def owners(self, ref: JobRef) -> str:
        """Set: the jobs that need the blobs that this job made."""
        return f"{self.prefix}:{ref.tenant}:owners:{ref.id}"

    def outbox(self, ref: JobRef) -> str:
        """Hash: what the job's webhook has been told or is yet to be told."""
        return f"{self.prefix}:{ref.tenant}:outbox:{ref.id}"

    def webhook_secrets(self, tenant: str) -> str:
        """List: the secrets that sign the tenant's webhooks, newest first."""
        return f"{self.prefix}:{tenant}:webhook_secrets"

    def idempotency(self, tenant: str, digest: str) -> str:
        """Hash: the request and the answer that a client's idempotency key stands for."""
        return f"{self.prefix}:{tenant}:idempotency:{digest}"

    def work_leader(self, tenant: str, work: str) -> str:
        """Id of the job that does a work which others may need as well (``lua/sharing.lua``)."""
        return f"{self.prefix}:{tenant}:leader:{work}"

    def work_followers(self, tenant: str, work: str) -> str:
        """Sorted set: ids of the jobs that wait for a work to be done, by time of creation."""
        return f"{self.prefix}:{tenant}:followers:{work}"

    def work_results(self, tenant: str, work: str) -> str:
        """Sorted set: ids of the jobs that have the result of a work, by when that is erased."""
        return f"{self.prefix}:{tenant}:results:{work}"

    def open(self, tenant: str) -> str:
        """Sorted set: ids of the tenant's open jobs by time of creation."""
        return f"{self.prefix}:{tenant}:open"

    def jobs(self, tenant: str) -> str:
        """Sorted set: ids of all the tenant's jobs by time of creation."""
        return f"{self.prefix}:{tenant}:jobs"

    def waiting(self, queue: QueueName) -> str:
        """Sorted set: queued jobs by time of creation."""
        return f"{self.prefix}::waiting:{queue}"

    @property
    def attention(self) -> str:
        """Sorted set: every open job, by the time when somebody has to look at it."""
        return f"{self.prefix}::attention"

    @property
    def deadlines(self) -> str:
        """Sorted set: queued jobs by deadline."""
        return f"{self.prefix}::deadlines"

    @property
    def retention(self) -> str:
        """Sorted set: jobs that have ended by the time when they are to be erased."""
        return f"{self.prefix}::retention"

    @property
    def unowned(self) -> str:
        """Sorted set: jobs whose first blob is stored and whose record is not, by that time."""
        return f"{self.prefix}::unowned"

    @property
    def deliveries(self) -> str:
        """Sorted set: webhook deliveries, reference and event, by the time of their next try."""
        return f"{self.prefix}::deliveries"

    @property
    def leader(self) -> str:
        """Key with a time to live: the worker that sweeps."""
        return f"{self.prefix}::leader"

    @property
    def counts(self) -> str:
        """Hash: how often what has happened to jobs, since Redis was empty."""
        return f"{self.prefix}::counts"

    @property
    def models(self) -> str:
        """Hash: the model catalogue, name to entry."""
        return f"{self.prefix}::models"

    @property
    def workers(self) -> str:
        """Hash: worker to the time when it was last seen and the models that it serves."""
        return f"{self.prefix}::workers"

    @property
    def probe(self) -> str:
        """A key that never exists: writing nothing to it tells whether Redis takes writes."""
        return f"{self.prefix}::probe"

    def of_traffic(self, model: str) -> list[str]:
        """Return the keys of a model's traffic, in the order that ``lua/traffic.lua`` reads.

        Hash: what was learned of it. Sorted sets: the jobs that have a seat, by when its lease runs
        out; the jobs of each queue that wait for one, by time of creation; all that wait by when
        they last asked.
        """
        base = f"{self.prefix}::traffic:{model}"
        waiting = [f"{base}:waiting:{queue}" for queue in QUEUES]
        return [base, f"{base}:seats", *waiting, f"{base}:seen"]

    def of_job(self, ref: JobRef) -> list[str]:
        """Return the keys of one job's transitions, in the order that ``lua/job.lua`` reads."""
        return [
            self.job(ref),
            self.events(ref),
            self.open(ref.tenant),
            self.jobs(ref.tenant),
            self.attention,
            self.deadlines,
            self.retention,
            *(self.waiting(queue) for queue in QUEUES),
            self.outbox(ref),
            self.deliveries,
            self.counts,
        ]
