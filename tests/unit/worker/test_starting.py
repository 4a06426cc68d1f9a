"""A faulty setting stops web, worker and webhooks alike, with one plain sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import web.main
import worker.app
import worker.webhooks.main

MAINS = {
    "web": web.main.main,
    "worker": lambda: worker.app.main([]),
    "webhooks": worker.webhooks.main.main,
}
FAULTY = [
    ({"REDIS_URL": "http://user:canary@h"}, "LIMELIGHT_REDIS_URL: must begin with one of redis://"),
    ({"REDIS_URL": "redis://user:canary@h:port/0"}, "LIMELIGHT_REDIS_URL: the port of h must be"),
    ({"REDIS_URL": "redis://[::1"}, "LIMELIGHT_REDIS_URL: must be a URL such as redis://"),
    ({"REDIS_URL": "redis+sentinel://h"}, "LIMELIGHT_REDIS_URL: must name the master"),
    ({"REDIS_URL": "rediss://h?ssl_ca_certs=/no/ca"}, "LIMELIGHT_REDIS_URL: /no/ca cannot be read"),
    ({"BLOB_URL": "ftp://canary@h"}, "LIMELIGHT_BLOB_URL: must be redis:, file:///path or s3://"),
    (
        {"LEASE_S": "120", "JOB_LIMIT_S": "60"},
        "LIMELIGHT_LEASE_S (120) must not be longer than LIMELIGHT_JOB_LIMIT_S (60)",
    ),
    ({"VISIBILITY_TIMEOUT_S": "60"}, "LIMELIGHT_VISIBILITY_TIMEOUT_S (60) must be 641 or more"),
    ({"LEASE_S": "canary"}, "LIMELIGHT_LEASE_S: Input should be a valid number"),
    ({"LEASE_S": "nan"}, "LIMELIGHT_LEASE_S: Input should be"),
    ({"CHILD_JOBS": "0"}, "LIMELIGHT_CHILD_JOBS: Input should be greater than or equal to 1"),
    ({"LOG_LEVEL": "LOUD"}, "LIMELIGHT_LOG_LEVEL: Input should be 'DEBUG', 'INFO'"),
]


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("LIMELIGHT_"):
            monkeypatch.delenv(name)
    models = tmp_path / "models.toml"
    models.write_text('[models.m]\naddress = "127.0.0.1:1"\n')
    monkeypatch.setenv("LIMELIGHT_MODELS_FILE", str(models))


@pytest.mark.parametrize("process", MAINS)
@pytest.mark.parametrize(("settings", "sentence"), FAULTY, ids=lambda one: str(one)[:40])
def test_it_is_said_in_one_sentence_without_trace_or_secret(
    process: str,
    settings: dict[str, str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"LIMELIGHT_{name}", value)
    assert MAINS[process]() != 0
    told = capsys.readouterr().err
    assert told.count(sentence) == 1
    assert "Traceback" not in told
    assert "canary" not in told
    assert len(told.rstrip().splitlines()) <= 2


@pytest.mark.parametrize("process", MAINS)
def test_everything_that_is_faulty_is_said_at_once(
    process: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIMELIGHT_REDIS_URL", "nonsense")
    monkeypatch.setenv("LIMELIGHT_LEASE_S", "nonsense")
    assert MAINS[process]() != 0
    told = capsys.readouterr().err
    assert "LIMELIGHT_REDIS_URL" in told
    assert "LIMELIGHT_LEASE_S" in told


@pytest.mark.parametrize(
    ("process", "setting"),
    [
        ("web", "WEB_METRICS_BIND"),
        ("web", "BIND"),
        ("worker", "WORKER_METRICS_BIND"),
        ("webhooks", "WEBHOOK_METRICS_BIND"),
    ],
)
def test_an_address_that_is_none_is_named(
    process: str,
    setting: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(f"LIMELIGHT_{setting}", "9100")
    assert MAINS[process]() != 0
    assert f"LIMELIGHT_{setting}: must be host:port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[models.m", "models.toml"),
        ("[models.m]\n", "address"),
        ('[models.m]\naddress = "h:1"\nadress = "h:1"\n', "adress"),
        (None, "models.toml"),
    ],
)
def test_profiles_that_cannot_be_read_stop_the_worker_by_a_sentence(
    text: str | None,
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "models.toml"
    path.unlink() if text is None else path.write_text(text)
    assert MAINS["worker"]() == os.EX_CONFIG
    told = capsys.readouterr().err
    assert problem in told
    assert "Traceback" not in told
