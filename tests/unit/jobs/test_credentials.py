from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from worker.jobs.connection import connect
from worker.jobs.credentials import UrlCredentials
from worker.jobs.queue import celery_app
from worker.jobs.settings import StoreSettings

SENTINELS = "redis+sentinel://u:{one}@h:26379/m?sentinel_username=s&sentinel_password={two}"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIMELIGHT_SECRETS_DIR", str(tmp_path))
    monkeypatch.delenv("LIMELIGHT_REDIS_URL", raising=False)
    return tmp_path / "limelight_redis_url"


@pytest.mark.parametrize(
    ("url", "pair"),
    [
        ("redis://h/0", ()),
        ("redis://:p@h/0", ("p",)),
        ("redis://u:p%40ss@h/0", ("u", "p@ss")),
        ("redis://u@h/0", ("u", "")),
        ("unix://u:p@/s", ("u", "p")),
    ],
)
def test_a_url_says_who_we_are(url: str, pair: tuple[str, ...]) -> None:
    assert UrlCredentials(StoreSettings(redis_url=url)).get_credentials() == pair


def test_a_file_is_read_again_for_each_connection(file: Path) -> None:
    file.write_text("redis://u:one@h/0")
    credentials = UrlCredentials(StoreSettings())
    assert credentials.get_credentials() == ("u", "one")
    file.write_text("redis://v:two@h/0\n")
    assert credentials.get_credentials() == ("v", "two")


def test_a_file_put_in_its_place_within_the_same_second_is_read(file: Path) -> None:
    file.write_text("redis://:one@h/0")
    credentials = UrlCredentials(StoreSettings())
    other = file.with_name("other")
    other.write_text("redis://:two@h/0")
    other.rename(file)
    assert credentials.get_credentials() == ("two",)


def test_both_redis_and_the_sentinels_get_their_own(file: Path) -> None:
    file.write_text(SENTINELS.format(one="1", two="2"))
    settings = StoreSettings()
    redis, sentinels = UrlCredentials(settings), UrlCredentials(settings, of_sentinels=True)
    file.write_text(SENTINELS.format(one="3", two="4"))
    assert redis.get_credentials() == ("u", "3")
    assert sentinels.get_credentials() == ("s", "4")


@pytest.mark.parametrize("text", ["", "  ", "redis://u:canary@h:canary/0", "http://u:canary@h/0"])
def test_what_cannot_be_used_leaves_the_old_in_place(file: Path, text: str) -> None:
    file.write_text("redis://u:one@h/0")
    credentials = UrlCredentials(StoreSettings())
    file.write_text(text)
    with capture_logs() as said:
        assert credentials.get_credentials() == ("u", "one")
    assert "canary" not in str(said)
    file.unlink()
    assert credentials.get_credentials() == ("u", "one")


def test_another_address_is_told_and_takes_a_restart(file: Path) -> None:
    file.write_text("redis://u:one@h/0")
    credentials = UrlCredentials(StoreSettings())
    file.write_text("redis://u:two@elsewhere/0")
    with capture_logs() as said:
        assert credentials.get_credentials() == ("u", "two")
        credentials.get_credentials()
    warned = [line for line in said if line["log_level"] == "warning"]
    assert [line["found"] for line in warned] == ["redis://elsewhere:6379/0"]


def test_a_variable_goes_before_a_file_and_stays(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("redis://:one@h/0")
    monkeypatch.setenv("LIMELIGHT_REDIS_URL", "redis://:one@h/0")
    credentials = UrlCredentials(StoreSettings())
    file.write_text("redis://:two@h/0")
    assert credentials.get_credentials() == ("one",)


def test_store_and_queue_ask_for_each_connection(file: Path) -> None:
    file.write_text("redis://u:one@h/0")
    settings = StoreSettings()
    store = connect(settings).connection_pool.make_connection()
    with celery_app(settings).connection_for_write() as connection:
        file.write_text("redis://u:two@h/0")
        for one in (store.credential_provider, connection.clone().credential_provider):
            assert one.get_credentials() == ("u", "two")
