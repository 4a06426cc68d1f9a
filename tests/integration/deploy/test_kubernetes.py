"""The manifests fit the schemas, and say what operations need them to say."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import manifests
from tests.support.manifests import Manifest
from web.settings import WebSettings
from worker.jobs.settings import StoreSettings
from worker.settings import WorkerSettings
from worker.webhooks.settings import DispatcherSettings, WebhookSettings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", params=manifests.OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> list[Manifest]:
    return manifests.overlay(request.param)


@pytest.fixture(scope="module")
def production() -> list[Manifest]:
    return manifests.overlay("production")


def of_kind(resources: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in resources if one["kind"] == kind}


def pods(resources: list[Manifest]) -> dict[str, dict[str, Any]]:
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]
        for one in resources
        if one["kind"] in ("Deployment", "StatefulSet")
    }


def environment(pod: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in pod["containers"][0]["env"]}


@pytest.mark.parametrize("path", manifests.files(), ids=lambda path: path.stem)
def test_every_file_fits_the_schemas(path: Path) -> None:
    resources = manifests.read(path.read_text())
    assert resources
    assert [problem for one in resources for problem in manifests.problems(one)] == []


def test_what_overlays_make_fits_the_schemas(overlay: list[Manifest]) -> None:
    assert [problem for one in overlay for problem in manifests.problems(one)] == []


@pytest.mark.parametrize(
    ("kind", "path"),
    [("Deployment", "spec.template.spec.nodes"), ("ScaledObject", "spec.minReplicas")],
)
def test_a_misspelt_field_does_not_fit(kind: str, path: str) -> None:
    (given,) = (
        one
        for file in manifests.files()
        for one in manifests.read(file.read_text())
        if one["kind"] == kind and one["metadata"]["name"] == "limelight-worker"
    )
    *parents, misspelt = path.split(".")
    place = given
    for parent in parents:
        place = place[parent]
    place[misspelt] = 1
    assert misspelt in " ".join(manifests.problems(given))


def test_every_file_is_part_of_something_and_every_part_is_a_file() -> None:
    named: set[Path] = set()
    for path in manifests.ROOT.rglob("kustomization.yaml"):
        kustomization = yaml.safe_load(path.read_text())
        generated = [
            file for made in kustomization.get("configMapGenerator", []) for file in made["files"]
        ]
        for key in ("resources", "components"):
            named |= {path.parent / part for part in kustomization.get(key, [])}
        named |= {path.parent / file for file in generated}
    assert [str(path) for path in named if not path.exists()] == []
    parts = {path.resolve() for path in named}
    examples = manifests.ROOT / "examples"
    orphans = [path for path in manifests.files() if path.resolve() not in parts]
    assert all(path.is_relative_to(examples) for path in orphans)


def test_every_pod_is_as_the_restricted_standard_wants(overlay: list[Manifest]) -> None:
    for name, pod in pods(overlay).items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert set(container["resources"]["limits"]) == {"memory"}, name
            assert "startupProbe" in container, name
    (namespace,) = of_kind(overlay, "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_image_is_an_exact_one(overlay: list[Manifest]) -> None:
    for name, pod in pods(overlay).items():
        for container in pod["containers"]:
            _, _, tag = container["image"].rpartition(":")
            assert tag not in ("", "latest"), name
            assert any(character.isdigit() for character in tag), name


def test_a_pod_ends_later_than_its_drain(overlay: list[Manifest]) -> None:
    grace = {name: pod["terminationGracePeriodSeconds"] for name, pod in pods(overlay).items()}
    worker = WorkerSettings.model_fields
    assert grace["limelight-worker"] > worker["soft_shutdown_s"].default + 5
    (web,) = pods(overlay)["limelight-web"]["containers"]
    before = web["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert grace["limelight-web"] > before + WebSettings.model_fields["grace_s"].default
    tries = DispatcherSettings.model_fields["webhook_timeout_s"].default
    assert grace["limelight-webhooks"] > tries


def test_every_setting_is_one_that_exists(overlay: list[Manifest]) -> None:
    reads: dict[str, dict[str, Any]] = {
        "limelight-web": {
            **WebSettings.model_fields,
            **StoreSettings.model_fields,
            **WebhookSettings.model_fields,
        },
        "limelight-worker": {**WorkerSettings.model_fields},
        "limelight-webhooks": {**DispatcherSettings.model_fields},
    }
    for name, fields in reads.items():
        known = {f"LIMELIGHT_{field.upper()}" for field in fields}
        assert set(environment(pods(overlay)[name])) <= known, name


def test_no_secret_stands_in_a_manifest(overlay: list[Manifest]) -> None:
    assert not of_kind(overlay, "Secret")
    for name in ("limelight-web", "limelight-worker", "limelight-webhooks"):
        pod = pods(overlay)[name]
        assert "LIMELIGHT_REDIS_URL" not in environment(pod)
        mounted = {one["name"]: one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
        assert mounted["secrets"] == environment(pod)["LIMELIGHT_SECRETS_DIR"]


def test_the_worker_has_the_models_of_its_overlay(overlay: list[Manifest]) -> None:
    (models,) = of_kind(overlay, "ConfigMap").values()
    (volume,) = (v for v in pods(overlay)["limelight-worker"]["volumes"] if v["name"] == "models")
    assert volume["configMap"]["name"] == models["metadata"]["name"]
    profiles = tomllib.loads(models["data"]["models.toml"])["models"]
    assert all(
        profile.get("labels", "models.toml") in models["data"] for profile in profiles.values()
    )


def test_workers_are_scaled_from_one_by_the_age_and_length_of_the_queues(
    production: list[Manifest],
) -> None:
    (scaled,) = of_kind(production, "ScaledObject").values()
    spec = scaled["spec"]
    assert spec["scaleTargetRef"] == {"name": "limelight-worker"}
    assert spec["minReplicaCount"] == 1
    assert "replicas" not in of_kind(production, "Deployment")["limelight-worker"]["spec"]
    assert {trigger["metadata"]["valueLocation"] for trigger in spec["triggers"]} == {
        "queues.interactive.depth",
        "queues.bulk.depth",
        "queues.interactive.oldest_s",
    }


def test_the_front_end_answers_to_the_name_by_which_keda_asks(production: list[Manifest]) -> None:
    (scaled,) = of_kind(production, "ScaledObject").values()
    (url,) = {trigger["metadata"]["url"] for trigger in scaled["spec"]["triggers"]}
    name, namespace, svc = url.removeprefix("http://").partition("/")[0].split(".")
    service = of_kind(production, "Service")[name]
    assert (service["metadata"]["namespace"], svc) == (namespace, "svc")
    trusted = environment(pods(production)["limelight-web"])["LIMELIGHT_TRUSTED_HOSTS"]
    assert f"{name}.{namespace}.svc" in trusted.split(",")


def test_callbacks_go_out_and_reach_nothing_internal(overlay: list[Manifest]) -> None:
    policies = of_kind(overlay, "NetworkPolicy")
    (rule,) = policies["limelight-webhooks"]["spec"]["egress"]
    assert {port["port"] for port in rule["ports"]} == set(
        WebhookSettings.model_fields["webhook_ports"].default
    )
    blocks = {peer["ipBlock"]["cidr"]: peer["ipBlock"]["except"] for peer in rule["to"]}
    internal = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"}
    assert internal <= set(blocks["0.0.0.0/0"])
    # Of IPv6 only what is public: neither unique local nor link-local addresses.
    assert set(blocks) == {"0.0.0.0/0", "2000::/3"}
    assert policies["limelight-default"]["spec"]["podSelector"] == {}


def test_policies_select_pods_that_there_are(overlay: list[Manifest]) -> None:
    labels = [
        one["spec"]["template"]["metadata"]["labels"]
        for one in overlay
        if one["kind"] in ("Deployment", "StatefulSet")
    ]
    selectors = {
        f"{one['kind']} {one['metadata']['name']}": one["spec"].get(
            "podSelector", one["spec"].get("selector", {})
        )
        for one in overlay
        if one["kind"] in ("NetworkPolicy", "PodDisruptionBudget", "Service")
    }
    for name, selector in selectors.items():
        wanted = selector.get("matchLabels", selector).items()
        assert any(wanted <= found.items() for found in labels), name
