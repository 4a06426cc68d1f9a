from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from web.settings import WebSettings
from worker.jobs.environment import EnvironmentSettings
from worker.jobs.settings import StoreSettings
from worker.settings import WorkerSettings
from worker.webhooks.settings import DispatcherSettings

KINDS = (WebSettings, StoreSettings, WorkerSettings, DispatcherSettings)
BLANK = ("", " ", "\t\n")


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIMELIGHT_SECRETS_DIR", str(tmp_path))
    monkeypatch.delenv("LIMELIGHT_REDIS_URL", raising=False)
    return tmp_path


@pytest.mark.parametrize("name", ["LIMELIGHT_REDIS_URL", "limelight_redis_url"])
def test_a_setting_may_be_a_file(secrets: Path, name: str) -> None:
    (secrets / name).write_text("redis://:canary@redis:6379/0\n")
    assert StoreSettings().redis_url == "redis://:canary@redis:6379/0"


def test_kubernetes_mounts_secrets_as_links_and_they_are_read(secrets: Path) -> None:
    (secrets / "..2026_11_25").mkdir()
    (secrets / "..2026_11_25" / "LIMELIGHT_REDIS_URL").write_text("redis://redis:6379/1")
    (secrets / "..data").symlink_to("..2026_11_25")
    (secrets / "LIMELIGHT_REDIS_URL").symlink_to("..data/LIMELIGHT_REDIS_URL")
    assert StoreSettings().redis_url == "redis://redis:6379/1"


def test_a_variable_goes_before_a_file(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (secrets / "limelight_redis_url").write_text("redis://from-file:6379/0")
    monkeypatch.setenv("LIMELIGHT_REDIS_URL", "redis://from-variable:6379/0")
    assert StoreSettings().redis_url == "redis://from-variable:6379/0"


def test_files_that_are_not_ours_are_left_alone(secrets: Path) -> None:
    (secrets / "redis_url").write_text("redis://not-ours:6379/0")
    (secrets / "kubernetes.io").mkdir()
    assert StoreSettings().redis_url == "redis://127.0.0.1:6379/0"


def test_a_directory_that_is_not_there_is_told_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIMELIGHT_SECRETS_DIR", str(tmp_path / "gone"))
    with pytest.raises(ValidationError, match="directory") as caught:
        StoreSettings()
    assert [one["loc"] for one in caught.value.errors()] == [("secrets_dir",)]


def test_a_file_that_cannot_be_read_is_told_by_its_name(secrets: Path) -> None:
    # Root may read whatever is closed to others, so here it leads nowhere.
    (secrets / "limelight_redis_url").symlink_to("gone")
    with pytest.raises(ValidationError, match="cannot read limelight_redis_url"):
        StoreSettings()


@pytest.mark.parametrize("text", BLANK)
@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in KINDS for name in kind.model_fields]
)
def test_a_blank_variable_is_not_set(
    kind: type[EnvironmentSettings], name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = kind()
    monkeypatch.setenv(f"LIMELIGHT_{name.upper()}", text)
    assert kind() == without


@pytest.mark.parametrize("text", BLANK)
def test_a_blank_file_sets_nothing(secrets: Path, text: str) -> None:
    for name in StoreSettings.model_fields:
        (secrets / f"limelight_{name}").write_text(text)
    assert StoreSettings() == StoreSettings(
        secrets_dir=secrets, redis_url="redis://127.0.0.1:6379/0"
    )


@pytest.mark.parametrize("text", BLANK)
def test_a_file_counts_where_its_variable_is_blank(
    secrets: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (secrets / "limelight_redis_url").write_text("redis://from-file:6379/0")
    monkeypatch.setenv("LIMELIGHT_REDIS_URL", text)
    assert StoreSettings().redis_url == "redis://from-file:6379/0"
