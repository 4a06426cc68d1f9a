"""What workers publish of their models, and what web makes of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import redis

from worker.jobs.catalogue import Catalogue, ModelEntry
from worker.jobs.keys import Keys

pytestmark = pytest.mark.integration

LITE0 = ModelEntry(
    name="efficientnet-lite0",
    state="available",
    version=3,
    signature="serving_default",
    input_size=(224, 200),
    channels=3,
    dtype="float32",
    class_count=2,
    labels=("tench", "goldfish"),
)
DOGS = ModelEntry(name="dogs", state="unavailable", problem="Start the server at its address.")


@pytest.fixture
def catalogue(client: redis.Redis) -> Catalogue:
    return Catalogue(client)


def age(client: redis.Redis, worker: str, by_s: float) -> None:
    """Let the worker have been seen that much earlier."""
    workers = Keys("limelight").workers
    report = json.loads(client.hget(workers, worker))
    client.hset(workers, worker, json.dumps({**report, "seen_at": report["seen_at"] - by_s}))


def test_nothing_is_there_before_a_worker_came(catalogue: Catalogue) -> None:
    assert catalogue.models() == {}
    assert catalogue.workers() == {}


def test_what_is_published_is_read(catalogue: Catalogue, client: redis.Redis) -> None:
    catalogue.publish([LITE0, DOGS], worker="w1")
    now = client.time()[0]
    models = catalogue.models()
    seen_at = models["dogs"].seen_at
    assert abs(seen_at - now) < 2
    assert models == {"dogs": replace(DOGS, seen_at=seen_at),
                      "efficientnet-lite0": replace(LITE0, seen_at=seen_at)}  # fmt: skip
    assert catalogue.workers() == {"w1": seen_at}


def test_a_worker_without_models_is_seen_all_the_same(catalogue: Catalogue) -> None:
    catalogue.publish([], worker="w1")
    assert catalogue.models() == {}
    assert list(catalogue.workers()) == ["w1"]


def test_a_model_that_its_only_worker_dropped_is_gone(
    catalogue: Catalogue, client: redis.Redis
) -> None:
    catalogue.publish([LITE0, DOGS], worker="w1")
    catalogue.publish([LITE0], worker="w1")
    assert list(catalogue.models()) == ["efficientnet-lite0"]
    assert client.hkeys(Keys("limelight").models) == [b"efficientnet-lite0"]


def test_a_model_stays_as_long_as_one_worker_serves_it(catalogue: Catalogue) -> None:
    catalogue.publish([LITE0, DOGS], worker="w1")
    catalogue.publish([DOGS], worker="w2")
    catalogue.publish([], worker="w2")
    assert list(catalogue.models()) == ["dogs", "efficientnet-lite0"]


def test_the_latest_word_on_a_model_counts(catalogue: Catalogue) -> None:
    catalogue.publish([DOGS], worker="w1")
    catalogue.publish([replace(DOGS, state="available", version=7, problem=None)], worker="w2")
    assert catalogue.models()["dogs"].version == 7


def test_a_worker_that_is_gone_takes_its_models_along_when_another_speaks(
    catalogue: Catalogue, client: redis.Redis
) -> None:
    catalogue.publish([DOGS], worker="gone")
    age(client, "gone", 121)
    catalogue.publish([LITE0], worker="w1")
    assert list(catalogue.models()) == ["efficientnet-lite0"]
    assert list(catalogue.workers()) == ["w1"]


def test_when_all_workers_are_gone_the_last_catalogue_stands(
    catalogue: Catalogue, client: redis.Redis
) -> None:
    catalogue.publish([LITE0], worker="w1")
    age(client, "w1", 86_400)
    assert list(catalogue.models()) == ["efficientnet-lite0"]


def test_entries_of_a_newer_version_are_read(catalogue: Catalogue, client: redis.Redis) -> None:
    catalogue.publish([LITE0], worker="w1")
    models = Keys("limelight").models
    entry = json.loads(client.hget(models, LITE0.name))
    client.hset(models, LITE0.name, json.dumps({**entry, "colour_space": "linear"}))
    assert catalogue.models()[LITE0.name].labels == LITE0.labels
