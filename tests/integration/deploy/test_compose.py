"""The Compose files are valid, and say what operations need them to say."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from deploy.demo.redis_server import find_redis_server, free_port
from tests.support import compose as compose_files
from tests.support import dockerfile
from web.settings import WebSettings
from worker.jobs.settings import StoreSettings
from worker.settings import WorkerSettings
from worker.webhooks.settings import DispatcherSettings, WebhookSettings

ROOT = Path(__file__).resolve().parents[3]
OWN_SERVER = "deploy/compose/own-server.yml"
OURS = ("secrets", "web", "worker", "webhooks", "models")
ONCE = {"secrets", "models"}

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return compose_files.config("docker-compose.yml")


@pytest.fixture(scope="module")
def own_server() -> dict[str, Any]:
    return compose_files.config(OWN_SERVER, {"LIMELIGHT_MODELS_DIR": "/srv/models"})


def test_redis_keeps_what_was_accepted_and_evicts_nothing(compose: dict[str, Any]) -> None:
    command = compose["services"]["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--appendfsync") + 1] == "always"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    assert command[command.index("--maxmemory") + 1] == "1gb"
    assert any("redis-data" in str(volume) for volume in compose["services"]["redis"]["volumes"])


def test_redis_has_room_to_rewrite_its_log_while_it_is_full(compose: dict[str, Any]) -> None:
    assert compose["services"]["redis"]["mem_limit"] == "2g"


def test_what_is_published_is_published_on_this_machine_only(compose: dict[str, Any]) -> None:
    published = {name: s["ports"] for name, s in compose["services"].items() if "ports" in s}
    assert "web" in published
    assert "redis" not in published
    assert all(str(port).startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_redis_and_the_model_server_are_out_of_reach_from_outside(compose: dict[str, Any]) -> None:
    assert compose["networks"]["inside"]["internal"] is True
    for name in ("redis", "tf-serving", "worker", "models", "secrets"):
        assert list(compose["services"][name]["networks"]) == ["inside"], name


def test_every_container_is_contained(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "mem_limit" in service, name
        assert "pids_limit" in service, name


def test_nobody_runs_as_root(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if name in OURS:
            steps = dockerfile.steps(
                ROOT / service["build"]["dockerfile"], service["build"]["target"]
            )
            user = [step.argument for step in steps if step.instruction == "USER"][-1]
        else:
            user = service["user"]
        assert user not in ("0", "root"), name


def test_every_server_is_asked_for_its_health(compose: dict[str, Any]) -> None:
    for name in set(compose["services"]) - ONCE:
        assert "healthcheck" in compose["services"][name], name


def test_every_image_is_an_exact_one(compose: dict[str, Any]) -> None:
    images = {name: s["image"] for name, s in compose["services"].items() if "image" in s}
    parents = re.findall(r"^FROM (\S+[:/@]\S+)", (ROOT / "deploy/Dockerfile").read_text(), re.M)
    by_digest = r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}"
    # No digest of this one is known to us; its tag is that of one release.
    assert images.pop("tf-serving") == "tensorflow/serving:2.19.1"
    for image in [*images.values(), *parents]:
        assert re.fullmatch(by_digest, image), image


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
        assert set(compose_files.environment(compose["services"][service])) <= known, service


def test_the_variables_of_compose_are_documented() -> None:
    files = [ROOT / "docker-compose.yml", ROOT / OWN_SERVER]
    named = {name for file in files for name in re.findall(r"\$\{(\w+)", file.read_text())}
    documented = (ROOT / "docs" / "operations.md").read_text()
    assert {name for name in named if f"`{name}`" not in documented} == set()


def test_nothing_starts_before_what_it_needs(compose: dict[str, Any]) -> None:
    services = compose["services"]
    done = {"condition": "service_completed_successfully"}
    assert services["redis"]["depends_on"] == {"secrets": done}
    assert services["tf-serving"]["depends_on"] == {"models": done}
    assert set(services["worker"]["depends_on"]) == {"redis", "tf-serving"}
    assert set(services["web"]["depends_on"]) == {"redis"}
    assert set(services["webhooks"]["depends_on"]) == {"redis"}


def test_web_and_webhooks_agree_on_where_webhooks_may_go(compose: dict[str, Any]) -> None:
    web, webhooks = (
        compose_files.environment(compose["services"][name]) for name in ("web", "webhooks")
    )
    rules = {name for name in (*web, *webhooks) if name.startswith("LIMELIGHT_WEBHOOK_A")}
    assert len(rules) == 2
    assert {name: web.get(name) for name in rules} == {name: webhooks.get(name) for name in rules}


def test_a_stopped_container_has_longer_than_its_drain_takes(compose: dict[str, Any]) -> None:
    grace = {
        name: int(service["stop_grace_period"].rstrip("s"))
        for name, service in compose["services"].items()
        if "stop_grace_period" in service
    }
    assert grace["worker"] > WorkerSettings.model_fields["soft_shutdown_s"].default + 5
    assert grace["web"] > WebSettings.model_fields["grace_s"].default
    assert grace["webhooks"] > DispatcherSettings.model_fields["webhook_timeout_s"].default


def test_no_password_stands_in_the_environment(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for variable, value in compose_files.environment(service).items():
            is_secret = re.search(r"PASSWORD|SECRET_KEY|REDIS_URL", variable)
            assert not is_secret or str(value).startswith("/secrets/"), f"{name}: {variable}"


def test_beside_a_model_server_of_ones_own_the_services_are_the_same(
    compose: dict[str, Any], own_server: dict[str, Any]
) -> None:
    ours, theirs = compose["services"], own_server["services"]
    for name in ("secrets", "redis", "web", "webhooks"):
        assert theirs[name] == ours[name], name
    differs = {"depends_on", "volumes", "networks", "extra_hosts"}
    assert set(theirs) == {"secrets", "redis", "worker", "web", "webhooks"}
    assert {
        key for key in theirs["worker"] if theirs["worker"][key] != ours["worker"].get(key)
    } == differs
    assert "/srv/models:/etc/limelight:ro" in theirs["worker"]["volumes"]


def test_the_secrets_that_the_stack_makes_open_its_redis(
    compose: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets, port = tmp_path / "secrets", free_port()
    secrets.mkdir()
    make_secrets(secrets)
    _, conf, *options = compose["services"]["redis"]["command"]
    here = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path)]
    monkeypatch.setenv("LIMELIGHT_SECRETS_DIR", str(secrets))
    url = StoreSettings().redis_url.replace("redis:6379", f"127.0.0.1:{port}")

    process = subprocess.Popen(
        [find_redis_server(), conf.replace("/secrets", str(secrets)), *options, *here],
        stdout=subprocess.DEVNULL,
    )
    try:
        retry = Retry(ConstantBackoff(0.1), 100)
        with redis.Redis.from_url(url, retry=retry) as client:
            assert client.ping()
        with redis.Redis(port=port) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
    finally:
        process.terminate()
        process.wait(10)
    key = WebSettings().secret_key
    assert key is not None
    assert len(key.get_secret_value()) == 64


def test_secrets_that_are_there_are_kept(tmp_path: Path) -> None:
    (tmp_path / "limelight_secret_key").write_text("mine")
    make_secrets(tmp_path)
    first = {path.name: path.read_text() for path in tmp_path.iterdir()}
    make_secrets(tmp_path)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == first
    assert first["limelight_secret_key"] == "mine"
    assert first["grafana_password"] not in ("", first["limelight_redis_url"])


def make_secrets(directory: Path) -> None:
    subprocess.run(["sh", "deploy/compose/make-secrets.sh", str(directory)], cwd=ROOT, check=True)
