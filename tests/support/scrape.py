"""Scraping metrics as Prometheus does, read by a parser that is not ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
NAME = re.compile(r"limelight_[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True)
class Scrape:
    """The samples of one scrape by name and labels, and the type of each family."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]
    types: Mapping[str, str]
    labels: Mapping[str, frozenset[str]]

    def total(self, name: str, **labels: str) -> float:
        """Add up the samples of this name that have these labels."""
        wanted = set(labels.items())
        return sum(
            value
            for (found, having), value in self.samples.items()
            if found == name and wanted <= having
        )

    def values(self, name: str, label: str) -> dict[str, float]:
        """The samples of this name, added up by one label."""
        names = {dict(having)[label] for found, having in self.samples if found == name}
        return {one: self.total(name, **{label: one}) for one in names}


def read(text: str, *, content_type: str = "text/plain") -> Scrape:
    """Read an exposition; a sample that stands there twice is a mistake."""
    parse = openmetrics if content_type.startswith("application/openmetrics") else prometheus
    families = list(parse(text))
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in families:
        for one in family.samples:
            key = (one.name, frozenset(one.labels.items()))
            assert key not in samples, f"{key} is there twice"
            samples[key] = one.value
    labels = {
        family.name: frozenset(label for one in family.samples for label in one.labels)
        for family in families
    }
    return Scrape(samples, {family.name: family.type for family in families}, labels)


def scrape(url: str, *, accept: str = "text/plain", key: str | None = None) -> Scrape:
    """Get and read the metrics at an address."""
    headers = {"Accept": accept} | ({"Authorization": f"Bearer {key}"} if key else {})
    answer = httpx.get(f"{url}/metrics", headers=headers, trust_env=False, timeout=60)
    answer.raise_for_status()
    return read(answer.text, content_type=answer.headers["Content-Type"])
