"""Metrics of the service as a whole: what is true in Redis, whichever process is asked.

Every web process says the same, at the time of the scrape. So of several that are scraped each by
itself one takes the greatest, not the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from web.health import SILENT_S
from web.ports import Catalogue
from worker.jobs.condition import Condition
from worker.jobs.counts import LABELS, Count
from worker.jobs.errors import StoreUnavailable
from worker.jobs.traffic import ModelTraffic

_log = structlog.get_logger("web.service_metrics")

# What is counted of jobs (``worker.jobs.counts``), and what it is called here.
_COUNTERS: Mapping[str, tuple[str, str]] = {
    "created": ("limelight_jobs_created", "Jobs that were accepted."),
    "claimed": (
        "limelight_jobs_claimed",
        "Claims: a job's first, again once it was handed back, or after the loss of its worker.",
    ),
    "handed-back": (
        "limelight_jobs_handed_back",
        "Jobs that were put back into the queue, by what they lacked.",
    ),
    "finished": (
        "limelight_jobs_finished",
        "Jobs that ended, by status, and by type of error if they failed.",
    ),
}

# Of each model: name, text, and where the number comes from.
_TRAFFIC: tuple[tuple[str, str, Callable[[ModelTraffic], float | None]], ...] = (
    (
        "limelight_model_seats_limit",
        "Jobs that may call it at once: as many as it was found to bear calls at a time.",
        lambda model: model.limit,
    ),
    (
        "limelight_model_images_per_call",
        "Images in a Predict call, as adapted by the worker that used the model last.",
        lambda model: model.images,
    ),
    ("limelight_model_seats", "Jobs that are calling the model.", lambda model: model.seats),
    (
        "limelight_model_jobs_waiting",
        "Jobs that asked for the model and were sent back to the queue.",
        lambda model: model.waiting,
    ),
    (
        "limelight_model_circuit_open",
        "1 while the model is left alone because its server kept failing.",
        lambda model: float(model.circuit_open_s > 0),
    ),
)


@dataclass(frozen=True, kw_only=True)
class ServiceMetrics(Collector):
    """Reads Redis at each scrape.

    Attributes
    ----------
    condition, counts, traffic : callable
        Of ``worker.jobs.condition``, ``.counts`` and ``.traffic``.
    catalogue : Catalogue
        Which models and workers there are.
    """

    condition: Callable[[], Condition]
    counts: Callable[[], Iterable[Count]]
    traffic: Callable[[Iterable[str]], Mapping[str, ModelTraffic]]
    catalogue: Catalogue

    def collect(self) -> Iterator[Metric]:
        """Give all families; while Redis is away, only that it is."""
        up = GaugeMetricFamily("limelight_redis_up", "Whether Redis answers.", value=1)
        try:
            condition = self.condition()
            families = [
                *_of_queues(condition),
                *_of_jobs(self.counts()),
                *_of_models(self.traffic(list(self.catalogue.models()))),
                _of_workers(condition.at, self.catalogue.workers()),
            ]
        except StoreUnavailable as error:
            _log.warning("Redis cannot be asked for metrics", error=str(error))
            up.samples[0] = up.samples[0]._replace(value=0)
            families = []
        yield up
        yield from families


def _of_jobs(counts: Iterable[Count]) -> list[Metric]:
    families = {
        what: CounterMetricFamily(name, text, labels=[*LABELS[what], "model"])
        for what, (name, text) in _COUNTERS.items()
    }
    for count in counts:
        families[count.what].add_metric(count.labels, count.number)
    return list(families.values())


def _of_queues(now: Condition) -> Iterator[Metric]:
    depth = GaugeMetricFamily("limelight_jobs_queued", "Jobs that wait.", labels=["queue"])
    oldest = GaugeMetricFamily(
        "limelight_queue_oldest_age_seconds",
        "Time since the oldest job that waits was created; 0 if none waits.",
        labels=["queue"],
    )
    for queue, backlog in now.backlogs.items():
        depth.add_metric([queue], backlog.depth)
        oldest.add_metric([queue], backlog.oldest_s)
    yield from (depth, oldest)
    queued = sum(backlog.depth for backlog in now.backlogs.values())
    for name, text, value in (
        ("limelight_jobs_processing", "Jobs in hands, or that follow one.", now.open_jobs - queued),
        ("limelight_webhook_deliveries_pending", "Deliveries yet to be tried.", now.deliveries),
        ("limelight_redis_writable", "Whether Redis takes writes.", int(now.refusal is None)),
        ("limelight_redis_memory_used_bytes", "Memory that Redis uses.", now.memory_used),
        ("limelight_redis_memory_limit_bytes", "Its maxmemory; 0 for none.", now.memory_limit),
    ):
        yield GaugeMetricFamily(name, text, value=max(0, value))


def _of_models(traffic: Mapping[str, ModelTraffic]) -> Iterator[Metric]:
    for name, text, read in _TRAFFIC:
        family = GaugeMetricFamily(name, text, labels=["model"])
        for model, used in traffic.items():
            value = read(used)
            if value is not None:
                family.add_metric([model], value)
        yield family


def _of_workers(now: float, seen: Mapping[str, float]) -> Metric:
    heard = sum(now - at < SILENT_S for at in seen.values())
    text = f"Workers heard from within {SILENT_S:.0f} s."
    return GaugeMetricFamily("limelight_workers", text, value=heard)
