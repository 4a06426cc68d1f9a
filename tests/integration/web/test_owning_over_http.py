"""Lists, cancels, erasures and repeated requests over real gunicorn and real Redis."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import redis

from tests.integration.web.conftest import publish
from tests.support import pictures
from tests.support.private_redis import messages, private_redis
from tests.support.web_process import running
from worker.jobs.blobs import open_blobs
from worker.jobs.connection import connect
from worker.jobs.errors import StaleClaim
from worker.jobs.job import JobRef, artifact_key
from worker.jobs.settings import StoreSettings
from worker.jobs.store import Store

pytestmark = pytest.mark.integration

URL = "/v1/explanations"
PNG = pictures.png()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with private_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def url(server, tmp_path_factory):
    """Two processes, so that nothing can be settled in the memory of one."""
    log = tmp_path_factory.mktemp("web") / "web.log"
    with running(server.url, log, web_workers="2") as url:
        yield url


@pytest.fixture
def store(server):
    with connect(StoreSettings(redis_url=server.url)) as connection:
        connection.flushall()
        publish(server.url)
        yield Store(connection)


@pytest.fixture
def client(url, store):
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        yield client


def post(client, key=None, **fields):
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(URL, files={"image": PNG}, data=fields, headers=headers)


def test_fifty_requests_at_once_under_one_key_make_one_job(client, server):
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: post(client, "order-4711"), range(50)))
    accepted = [answer for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert len(accepted) + len(refused) == 50
    assert len({answer.json()["id"] for answer in accepted}) == 1
    assert len({answer.content for answer in accepted}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in accepted) == 1
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    (listed,) = client.get(URL).json()["explanations"]
    again = post(client, "order-4711")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["id"] == listed["id"]
    with redis.Redis.from_url(server.url) as connection:
        assert connection.llen(messages("interactive")) == 1


def test_a_key_that_was_refused_is_good_for_a_better_request(client):
    assert post(client, "k", model="no").status_code == 422
    assert post(client, "k").status_code == 202
    assert post(client, "k", classes="2").json()["type"] == "/problems/idempotency-mismatch"


def test_an_erased_job_leaves_nothing_in_redis_but_that_it_was_there(client, store, server):
    accepted = post(client, "k", **{"metadata.ticket": "canary-4711"}).json()
    ref = JobRef("default", accepted["id"])
    with redis.Redis.from_url(server.url) as connection:
        blobs = open_blobs("redis:", connection)
        claim = store.claim(ref, worker="w", lease_s=30)
        blobs.put(artifact_key(ref, claim.fence, "overlays/1/signed.png"), b"picture")
        assert client.delete(f"{URL}/{ref.id}").status_code == 204
        with pytest.raises(StaleClaim):
            store.succeed(claim, {})
        left = {key for key in connection.scan_iter() if ref.id.encode() in key}
        assert left == {store._keys.tombstone(ref).encode()}
        hashes = [key for key in connection.scan_iter() if connection.type(key) == b"hash"]
        kept = b"".join(b"".join(connection.hgetall(key).values()) for key in hashes)
        assert b"canary-4711" not in kept
        assert PNG not in kept
    for path in ("", "/image", "/events", "/attributions.json"):
        assert client.get(f"{URL}/{ref.id}{path}").status_code == 410
    assert client.delete(f"{URL}/{ref.id}").status_code == 410
    assert post(client, "k", **{"metadata.ticket": "canary-4711"}).status_code == 410


def test_a_list_is_read_page_by_page(client):
    made = [post(client).json()["id"] for _ in range(5)]
    found, cursor = [], None
    while True:
        page = client.get(URL, params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        found += [job["id"] for job in page["explanations"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == made[::-1]


def test_a_canceled_job_is_not_worked_on_and_cannot_be_canceled_again(client, store):
    job = post(client).json()
    answer = client.post(job["links"]["cancel"])
    assert (answer.status_code, answer.json()["status"]) == (202, "canceled")
    assert client.post(job["links"]["cancel"]).json()["type"] == "/problems/conflict"
    assert client.get(URL, params={"status": "canceled"}).json()["explanations"]
    assert not client.get(URL, params={"status": "queued"}).json()["explanations"]
