from __future__ import annotations

import pytest
from pydantic import ValidationError

from worker.jobs.settings import StoreSettings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in StoreSettings.model_fields:
        monkeypatch.delenv(f"LIMELIGHT_{name.upper()}", raising=False)


def test_everything_has_a_default() -> None:
    settings = StoreSettings()
    assert settings.redis_url == "redis://127.0.0.1:6379/0"
    assert (settings.blob_url, settings.retention_s) == ("redis:", 86_400)
    assert settings.lease_s <= 30


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMELIGHT_REDIS_URL", "rediss://redis:6380/1")
    monkeypatch.setenv("LIMELIGHT_LEASE_S", "12.5")
    settings = StoreSettings()
    assert (settings.redis_url, settings.lease_s) == ("rediss://redis:6380/1", 12.5)


def test_passwords_are_not_shown() -> None:
    settings = StoreSettings(redis_url="redis://:canary@127.0.0.1:6379/0")
    assert "canary" not in repr(settings)
    assert "canary" not in str(settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"redis_url": "http://127.0.0.1"},
        {"blob_url": "ftp://x"},
        {"blob_url": "file://relative"},
        {"lease_s": 0},
        {"retention_s": 1},
        {"job_limit_s": 10, "lease_s": 30},
    ],
)
def test_what_cannot_work_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        StoreSettings(**wrong)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        StoreSettings().lease_s = 3
