"""Dashboard and alerts ask for what is exported, and Prometheus understands them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import compose, exported, manifests
from tests.support.promtool import promtool

ROOT = Path(__file__).resolve().parents[3]
MONITORING = ROOT / "deploy" / "monitoring"
GRAFANA = MONITORING / "grafana"
# Of Prometheus itself.
BUILT_IN = {"up"}
TARGET_LABELS = {"instance", "job", "le"}

pytestmark = pytest.mark.integration


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def dashboard() -> dict[str, Any]:
    shown: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "limelight.json").read_text())
    return shown


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def asked() -> Iterator[tuple[str, str]]:
    """Every expression of a panel, a variable or an alert, with where it stands."""
    for panel in panels():
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "5m").replace("$model", ".*")
            yield f"panel {panel['title']}", expression
    for rule in alerts():
        yield f"alert {rule['alert']}", rule["expr"]


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Names of metrics, and the labels by which each is selected."""
    for name, matchers in re.findall(r"\b(limelight_\w+|up\b)(?:\{([^}]*)\})?", expression):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))


def groupings(expression: str) -> set[str]:
    """Labels by which results are grouped."""
    listed = re.findall(r"\bby \(([^)]*)\)", expression)
    return {label.strip() for labels in listed for label in labels.split(",")}


@pytest.fixture(scope="module")
def known() -> Mapping[str, frozenset[str]]:
    return exported.metrics()


@pytest.mark.parametrize(("where", "expression"), list(asked()), ids=lambda value: value[:40])
def test_it_asks_for_what_the_code_exports(
    known: Mapping[str, frozenset[str]], where: str, expression: str
) -> None:
    found = dict(selectors(expression))
    assert found, where
    having: set[str] = set(TARGET_LABELS)
    for name, labels in found.items():
        if name in BUILT_IN:
            continue
        assert name in known, f"{where} asks for {name}, which nothing exports"
        assert labels <= known[name] | TARGET_LABELS, f"{where}: labels of {name}"
        having |= known[name]
    assert groupings(expression) <= having, where


def test_a_name_that_nothing_exports_would_be_seen(known: Mapping[str, frozenset[str]]) -> None:
    assert "limelight_jobs_finished_total" in known
    assert "limelight_jobs_finished" not in known
    assert "limelight_model_call_duration_seconds_bucket" in known


def test_every_metric_is_shown_or_watched(known: Mapping[str, frozenset[str]]) -> None:
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in known}
    shown = {
        re.sub(r"_(bucket|count|sum)$", "", name)
        for _, expression in asked()
        for name, _ in selectors(expression)
    }
    assert families - shown == set()


def test_prometheus_understands_its_configuration_and_the_alerts() -> None:
    promtool("check", "config", MONITORING / "prometheus.yml")


def test_alerts_come_when_they_should_and_not_before() -> None:
    promtool("test", "rules", MONITORING / "alerts_test.yml")


def test_every_alert_is_tried() -> None:
    cases = yaml.safe_load((MONITORING / "alerts_test.yml").read_text())["tests"]
    fired = {
        rule["alertname"]
        for case in cases
        for rule in case.get("alert_rule_test", [])
        if rule["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in alerts()}


def test_every_alert_has_an_entry_in_the_runbook_and_a_severity() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    entries = re.findall(r"^### (Limelight\w+)$", runbook, re.MULTILINE)
    assert entries == [rule["alert"] for rule in alerts()]
    assert {rule["labels"]["severity"] for rule in alerts()} == {"critical", "warning"}


def test_prometheus_understands_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression}
        for number, (where, expression) in enumerate(asked())
        if where.startswith("panel")
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", file)


def test_the_dashboard_is_laid_out_without_overlaps() -> None:
    shown = dashboard()
    taken: set[tuple[int, int]] = set()
    for panel in shown["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in shown["panels"]]
    assert len(ids) == len(set(ids))
    assert all(panel["title"] and panel["description"] for panel in panels())


def test_grafana_finds_datasource_and_dashboard() -> None:
    provisioning = GRAFANA / "provisioning"
    sources = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())
    (provider,) = yaml.safe_load((provisioning / "dashboards/limelight.yml").read_text())[
        "providers"
    ]
    grafana = compose.config("docker-compose.yml")["services"]["grafana"]
    mounted = dict(volume.split(":")[1::-1] for volume in grafana["volumes"])
    assert Path(mounted[provider["options"]["path"]]) == GRAFANA / "dashboards"
    assert Path(mounted["/etc/grafana/provisioning"]) == provisioning
    assert sources["datasources"][0]["url"] == "http://prometheus:9090"


def test_prometheus_scrapes_each_of_our_servers_where_it_answers() -> None:
    services = compose.config("docker-compose.yml")["services"]
    answering = {
        f"{name}:{value.rpartition(':')[2]}"
        for name, service in services.items()
        for variable, value in compose.environment(service).items()
        if variable.endswith("_METRICS_BIND")
    }
    (job,) = yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"]
    assert set(job["static_configs"][0]["targets"]) == answering
    assert len(answering) == 3


def test_the_operator_of_kubernetes_has_the_same_alerts() -> None:
    rules = manifests.ROOT / "components" / "monitoring" / "rules.yaml"
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    assert yaml.safe_load(rules.read_text())["spec"]["groups"] == groups


def test_kubernetes_scrapes_every_pod_where_it_answers() -> None:
    base = [
        one
        for path in (manifests.ROOT / "base").glob("*.yaml")
        for one in manifests.read(path.read_text())
    ]
    named = {
        (port["name"], port["containerPort"])
        for one in base
        if one["kind"] == "Deployment"
        for port in one["spec"]["template"]["spec"]["containers"][0]["ports"]
        if port["name"] == "metrics"
    }
    assert named == {("metrics", 9464)}
