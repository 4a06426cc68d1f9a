"""One way to write where Redis is."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from worker.jobs.connection import connect
from worker.jobs.queue import celery_app
from worker.jobs.redis_url import RedisUrl, parse
from worker.jobs.settings import StoreSettings

SENTINELS = "redis+sentinel://user:p%40ss@a,b:26380,[::1]:7/mymaster/3"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("redis://h", RedisUrl(hosts=(("h", 6379),))),
        ("redis://h:7/5", RedisUrl(hosts=(("h", 7),), db=5)),
        ("redis://[::1]:7", RedisUrl(hosts=(("::1", 7),))),
        ("redis://:p%2Fw@h", RedisUrl(hosts=(("h", 6379),), password="p/w")),
        ("redis://u:p@h", RedisUrl(hosts=(("h", 6379),), username="u", password="p")),
        ("redis://h?db=2&password=p", RedisUrl(hosts=(("h", 6379),), db=2, password="p")),
        ("unix:///run/redis.sock?db=4", RedisUrl(socket="/run/redis.sock", db=4)),
        (
            SENTINELS,
            RedisUrl(
                hosts=(("a", 26379), ("b", 26380), ("::1", 7)),
                master="mymaster",
                db=3,
                username="user",
                password="p@ss",
            ),
        ),
        (
            "redis+sentinel://h/m?sentinel_username=s&sentinel_password=t",
            RedisUrl(
                hosts=(("h", 26379),), master="m", sentinel_username="s", sentinel_password="t"
            ),
        ),
    ],
)
def test_a_url_is_read(text: str, parts: RedisUrl) -> None:
    assert parse(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h:6379",
        "http://h",
        "redis:/h",
        "redis://",
        "redis://h:99999",
        "redis://h:port",
        "redis://h/five",
        "redis://h/1/2",
        "redis://a,b/0",
        "redis://[::1",
        "redis://h?ssl_ca_certs=/x",
        "redis://h?timeout=canary",
        "unix://",
        "redis+sentinel://h",
        "redis+sentinel://h/m/five",
        "rediss://h?ssl_ca_certs=/no/such/file",
        "rediss://h?ssl_check_hostname=maybe",
        "rediss://user:canary@h:canary",
    ],
)
def test_what_is_none_is_refused_without_its_secrets(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|know|cannot") as refusal:
        parse(text)
    assert "user:canary" not in str(refusal.value)


@pytest.mark.parametrize("text", ["redis://u:canary@h/1", SENTINELS, "unix://u:canary@/s"])
def test_what_is_shown_of_it_holds_no_secret(text: str) -> None:
    for shown in (parse(text).shown, repr(parse(text))):
        assert "canary" not in shown
        assert "p@ss" not in shown


def test_tls_always_asks_who_answers(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("a certificate")
    url = f"rediss://h?ssl_ca_certs={ca}"
    settings = StoreSettings(redis_url=url)
    options = connect(settings).connection_pool.connection_kwargs
    assert options["ssl_cert_reqs"] == ssl.CERT_REQUIRED
    assert options["ssl_ca_certs"] == str(ca)
    broker = celery_app(settings).conf
    assert broker.broker_use_ssl["ssl_cert_reqs"] == ssl.CERT_REQUIRED
    assert broker.broker_use_ssl["ssl_ca_certs"] == str(ca)


def test_the_broker_is_told_of_all_sentinels_and_the_master() -> None:
    conf = celery_app(StoreSettings(redis_url=SENTINELS)).conf
    assert conf.broker_url == "sentinel://a:26379/3;sentinel://b:26380/3;sentinel://[::1]:7/3"
    assert conf.broker_transport_options["master_name"] == "mymaster"
