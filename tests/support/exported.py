"""All metrics that the code exports, asked of the objects that count them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from web.metrics import RequestMetrics
from web.service_metrics import ServiceMetrics
from worker.jobs.condition import Backlog, Condition
from worker.jobs.counts import LABELS, Count
from worker.jobs.traffic import ModelTraffic
from worker.metrics import WorkerMetrics
from worker.webhooks.metrics import WebhookMetrics

MODEL = "lesions"
_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "histogram": ("_bucket", "_count", "_sum"),
    "counter": ("_total",),
    "gauge": ("",),
}
_CONDITION = Condition(
    at=1000.0,
    backlogs={
        "interactive": Backlog(depth=1, oldest_s=2.0),
        "bulk": Backlog(depth=0, oldest_s=0.0),
    },
    open_jobs=1,
    deliveries=0,
    memory_used=1,
    memory_limit=2,
    problems=(),
)
_TRAFFIC = ModelTraffic(seats=1, waiting=0, limit=2, images=8, circuit_open_s=0.0)


class _Catalogue:
    """One model, and one worker that was heard from."""

    def models(self) -> Mapping[str, object]:
        return {MODEL: object()}

    def workers(self) -> Mapping[str, float]:
        return {"worker": _CONDITION.at}


def metrics() -> Mapping[str, frozenset[str]]:
    """Return the names of all samples that processes export, with their labels."""
    return dict((*_of_the_service(), *_of_processes()))


def _of_the_service() -> Iterator[tuple[str, frozenset[str]]]:
    service = ServiceMetrics(
        condition=lambda: _CONDITION,
        counts=lambda: [Count(what, (*LABELS[what], MODEL), 1) for what in LABELS],
        traffic=lambda names: dict.fromkeys(names, _TRAFFIC),
        catalogue=_Catalogue(),
    )
    for family in service.collect():
        for sample in family.samples:
            yield sample.name, frozenset(sample.labels)


def _of_processes() -> Iterator[tuple[str, frozenset[str]]]:
    for counting in (RequestMetrics(), WorkerMetrics(), WebhookMetrics(CollectorRegistry())):
        for metric in _metrics_in(vars(counting).values()):
            for suffix in _SUFFIXES[metric._type]:
                yield f"{metric._name}{suffix}", frozenset(metric._labelnames)


def _metrics_in(values: Iterable[object]) -> Iterator[MetricWrapperBase]:
    return (value for value in values if isinstance(value, MetricWrapperBase))
