"""docker-compose.yml is valid, and says what operations need it to say."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from web.settings import WebSettings
from worker.jobs.settings import StoreSettings
from worker.settings import WorkerSettings
from worker.webhooks.settings import DispatcherSettings, WebhookSettings

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file as Compose itself reads it, anchors and defaults filled in."""
    program = shutil.which("docker-compose")
    if program is None:
        message = "docker-compose is not installed (Debian: apt-get install docker-compose)"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    done = subprocess.run(
        [program, "config"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    config: dict[str, Any] = yaml.safe_load(done.stdout)
    return config


def test_redis_keeps_what_was_accepted_and_evicts_nothing(compose: dict[str, Any]) -> None:
    command = compose["services"]["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--appendfsync") + 1] == "always"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    assert any("redis-data" in str(volume) for volume in compose["services"]["redis"]["volumes"])


def test_only_web_is_published_and_only_on_this_machine(compose: dict[str, Any]) -> None:
    published = {name: s["ports"] for name, s in compose["services"].items() if "ports" in s}
    assert list(published) == ["web"]
    assert all(str(port).startswith("127.0.0.1:") for port in published["web"])


def test_the_model_server_is_the_real_one_at_a_fixed_version(compose: dict[str, Any]) -> None:
    image = compose["services"]["tf-serving"]["image"]
    assert image.startswith("tensorflow/serving:")
    assert not image.endswith(":latest")


def test_every_setting_that_compose_gives_is_one_that_exists(compose: dict[str, Any]) -> None:
    reads = {
        "web": {
            **WebSettings.model_fields,
            **StoreSettings.model_fields,
            **WebhookSettings.model_fields,
        },
        "worker": {**WorkerSettings.model_fields},
        "webhooks": {**DispatcherSettings.model_fields},
    }
    for service, fields in reads.items():
        known = {f"LIMELIGHT_{name.upper()}" for name in fields}
        assert set(compose["services"][service]["environment"]) <= known, service


def test_nothing_starts_before_what_it_needs(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["tf-serving"]["depends_on"] == {
        "models": {"condition": "service_completed_successfully"}
    }
    assert set(services["worker"]["depends_on"]) == {"redis", "tf-serving"}
    assert set(services["web"]["depends_on"]) == {"redis"}
    assert set(services["webhooks"]["depends_on"]) == {"redis"}


def test_web_and_webhooks_agree_on_where_webhooks_may_go(compose: dict[str, Any]) -> None:
    web, webhooks = (compose["services"][name]["environment"] for name in ("web", "webhooks"))
    rules = {name for name in (*web, *webhooks) if name.startswith("LIMELIGHT_WEBHOOK_A")}
    assert len(rules) == 2
    assert {name: web.get(name) for name in rules} == {name: webhooks.get(name) for name in rules}
