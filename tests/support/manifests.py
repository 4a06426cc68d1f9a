"""Kubernetes manifests: found in their files, put together by kustomize, held against schemas."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as prometheus_operator

ROOT = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
OVERLAYS = ("trial", "production")
# The oldest that knows all that is used: a preStop that sleeps needs 1.30.
VERSIONS = ("1.30", "1.34")

# What the cluster's own schemas do not know, by typed models made of the projects' definitions.
_CUSTOM: Mapping[str, Any] = {
    "ScaledObject": keda.ScaledObject,
    "ServiceMonitor": prometheus_operator.ServiceMonitor,
    "PrometheusRule": prometheus_operator.PrometheusRule,
}

Manifest = dict[str, Any]


def files() -> list[Path]:
    """Return the files that hold resources."""
    return sorted(path for path in ROOT.rglob("*.yaml") if path.name != "kustomization.yaml")


def read(text: str) -> list[Manifest]:
    """Return the resources of a file."""
    return [document for document in yaml.safe_load_all(text) if document]


def overlay(name: str) -> list[Manifest]:
    """Return what an overlay makes; skip where nothing on PATH can put it together."""
    for command in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if shutil.which(command[0]):
            done = subprocess.run(
                [*command, str(ROOT / "overlays" / name)],
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            return read(done.stdout)
    pytest.skip("neither kustomize nor kubectl is installed")


def problems(manifest: Manifest) -> Iterator[str]:
    """Say what schemas do not allow, unknown fields included."""
    kind = manifest["kind"]
    if kind in _CUSTOM:
        yield from _custom_problems(manifest, _CUSTOM[kind])
        return
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except (
            kubernetes_validate.ValidationError,
            kubernetes_validate.SchemaNotFoundError,
        ) as error:
            yield f"{kind} {manifest['metadata']['name']}, Kubernetes {version}: {error}"


def _custom_problems(manifest: Manifest, model: Any) -> Iterator[str]:
    read = model.model_validate(manifest)
    # The models ignore what they do not know, so what did not come through is unknown.
    kept = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
    yield from _lost(manifest, kept, at=f"{manifest['kind']} {manifest['metadata']['name']}")


def _lost(given: Any, kept: Any, *, at: str) -> Iterator[str]:
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            if key not in kept:
                yield f"{at}: unknown field {key}"
            else:
                yield from _lost(value, kept[key], at=f"{at}.{key}")
    elif isinstance(given, list) and isinstance(kept, list):
        for index, pair in enumerate(zip(given, kept, strict=True)):
            yield from _lost(*pair, at=f"{at}[{index}]")
