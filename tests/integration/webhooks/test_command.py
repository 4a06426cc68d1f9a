from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner, Result

from tests.support.private_redis import private_redis
from tests.support.refusals import full, too_few_replicas
from worker.webhooks.command import webhooks
from worker.webhooks.signing import SecretStore

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _this_redis(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMELIGHT_REDIS_URL", redis_url)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(webhooks, ["secret", *arguments])


def test_a_rotated_secret_is_printed_alone_and_signs_from_now_on(client: redis.Redis) -> None:
    done = run("rotate", "--tenant", "acme")
    assert done.exit_code == 0
    [valid] = SecretStore(client).valid("acme")
    assert done.stdout == f"{valid.text}\n"
    assert f"Secret {valid.id} of tenant acme" in done.stderr
    assert SecretStore(client).valid("default") == ()


def test_two_secrets_are_valid_at_a_time() -> None:
    first, second, third = (json.loads(run("rotate", "--json").stdout) for _ in range(3))
    assert second["valid"] == [second["id"], first["id"]]
    assert third["valid"] == [third["id"], second["id"]]
    shown = json.loads(run("show-ids", "--json").stdout)["secrets"]
    assert [one["id"] for one in shown] == third["valid"]


def test_the_one_that_stays_valid_is_named() -> None:
    first = json.loads(run("rotate", "--json").stdout)
    assert f"Secret {first['id']} stays valid" in run("rotate").stderr


def test_ids_are_shown_without_secrets() -> None:
    made = json.loads(run("rotate", "--json").stdout)
    shown = run("show-ids").stdout
    assert made["id"] in shown
    assert "whsec_" not in shown


def test_a_name_that_no_tenant_can_have_is_refused() -> None:
    done = run("rotate", "--tenant", "../x")
    assert done.exit_code == 2
    assert "no tenant's name" in done.stderr


def test_a_redis_that_is_away_is_told_without_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMELIGHT_REDIS_URL", "redis://:canary@127.0.0.1:1/0")
    done = run("rotate")
    assert done.exit_code == 1
    assert "Redis cannot be used" in done.stderr
    assert "canary" not in done.output


def test_a_redis_that_takes_no_writes_is_told_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with private_redis(tmp_path) as server:
        monkeypatch.setenv("LIMELIGHT_REDIS_URL", server.url)
        for harm, told in ((too_few_replicas, "bring the replicas back"), (full, "maxmemory")):
            with harm(server):
                done = run("rotate")
            assert done.exit_code == 1
            assert told in done.stderr


def test_an_unusable_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMELIGHT_REDIS_URL", "mysql://canary")
    done = run("show-ids")
    assert done.exit_code == 1
    assert "LIMELIGHT_REDIS_URL" in done.stderr
    assert "canary" not in done.output
