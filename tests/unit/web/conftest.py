from __future__ import annotations

import ssl
from dataclasses import dataclass

import pytest
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry

from tests.unit.web.fakes import (
    NOW,
    FixedCatalogue,
    MemoryBlobs,
    MemoryKeys,
    MemoryOutbox,
    MemoryQueue,
    MemoryReservations,
    MemoryStore,
)
from web.app import create_app
from web.fetching import ImageFetcher
from web.service_metrics import ServiceMetrics
from web.settings import WebSettings
from worker.jobs.catalogue import ModelEntry
from worker.jobs.tenants import Tenants
from worker.jobs.traffic import ModelTraffic
from worker.webhooks.addresses import Policy
from worker.webhooks.settings import policies

TRAFFIC = ModelTraffic(seats=1, waiting=2, limit=2, images=16, circuit_open_s=0.0)
LABELS = ("tabby", "Egyptian cat", "tiger cat", "espresso", "lynx")


def model(name="lite0", **changes):
    known = {
        "state": "available",
        "version": 3,
        "signature": "serving_default",
        "input_size": (224, 224),
        "channels": 3,
        "dtype": "float32",
        "class_count": len(LABELS),
        "labels": LABELS,
        "seen_at": NOW,
    }
    return ModelEntry(name=name, **{**known, **changes})


def fetcher(**changes):
    """Fetches nothing, unless hosts are allowed."""
    usual = {
        "hosts": (),
        "policy_of": lambda _tenant: Policy(),
        "most_bytes": 1_000_000,
        "at_once": 4,
        "tls": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    }
    return ImageFetcher(**{**usual, **changes})


@dataclass
class Service:
    """The application over its fakes."""

    client: FlaskClient
    store: MemoryStore
    blobs: MemoryBlobs
    queue: MemoryQueue
    catalogue: FixedCatalogue
    keys: MemoryKeys
    outbox: MemoryOutbox

    def is_untouched(self) -> bool:
        return not (self.store.jobs or self.blobs.kept or self.queue.messages)


@pytest.fixture
def make_service(monkeypatch):
    for name in ("DEFAULT_MODEL", "IMAGE_HOSTS", "MAX_UPLOAD_BYTES", "TRUSTED_HOSTS"):
        monkeypatch.delenv(f"LIMELIGHT_{name}", raising=False)

    def make(
        models=None,
        *,
        tenants=None,
        limiter_redis=None,
        webhooks=None,
        images=None,
        counts=(),
        **settings,
    ):
        store, blobs, queue = MemoryStore(), MemoryBlobs(), MemoryQueue()
        keys, outbox = MemoryKeys(), MemoryOutbox(store)
        tenants = tenants or Tenants()
        catalogue = FixedCatalogue(
            {entry.name: entry for entry in ([model()] if models is None else models)}
        )
        registry = CollectorRegistry()
        registry.register(
            ServiceMetrics(
                condition=catalogue.condition,
                counts=lambda: counts,
                traffic=lambda _: {"lite0": TRAFFIC},
                catalogue=catalogue,
            )
        )
        app = create_app(
            WebSettings(**settings),
            store=store,
            blobs=blobs,
            queue=queue,
            catalogue=catalogue,
            keys=keys,
            reservations=MemoryReservations(store),
            outbox=outbox,
            images=images or fetcher(),
            condition=catalogue.condition,
            tenants=tenants,
            webhook_policy=policies(webhooks or Policy(), tenants),
            limiter_redis=limiter_redis,
            registry=registry,
            retention_s=3_600,
        )
        return Service(app.test_client(), store, blobs, queue, catalogue, keys, outbox)

    return make


@pytest.fixture
def service(make_service):
    return make_service()
