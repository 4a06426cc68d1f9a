from __future__ import annotations

import pytest
from pydantic import ValidationError

from worker.settings import WorkerSettings


def test_queues_are_given_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMELIGHT_QUEUES", "bulk, interactive")
    assert WorkerSettings().queues == ("bulk", "interactive")


@pytest.mark.parametrize("queues", ["bulk,express", ","])
def test_a_queue_that_does_not_exist_is_refused(
    queues: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIMELIGHT_QUEUES", queues)
    with pytest.raises(ValidationError, match="interactive"):
        WorkerSettings()


def test_what_is_logged_has_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMELIGHT_REDIS_URL", "redis://user:s3cret@redis:6379/0?password=s3cret")
    shown = WorkerSettings().masked()
    assert "s3cret" not in str(shown)
    assert shown["redis_url"] == "redis://redis:6379/0"


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValidationError):
        WorkerSettings().concurrency = 9  # type: ignore[misc]
