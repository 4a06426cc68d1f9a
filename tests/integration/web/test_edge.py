"""The edge of a service with keys: who may not come in, and what does not exist for them."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import httpx
import pytest
import redis

from tests.integration.web.conftest import publish
from tests.support import pictures
from tests.support.private_redis import private_redis
from tests.support.web_process import running
from web.keys import KeyStore
from web.principal import scopes_of

pytestmark = pytest.mark.integration

URL = "/v1/explanations"
UNKNOWN = f"{URL}/exp_{'0' * 32}"
PNG = pictures.png()


@dataclass
class Edge:
    """A running service, keys of two tenants, and the job of one of them."""

    web: httpx.Client
    owner: str
    stranger: str
    revoked: str
    expired: str
    path: str


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


@pytest.fixture(scope="module")
def edge(tmp_path_factory):
    directory = tmp_path_factory.mktemp("edge")
    with (
        private_redis(directory / "redis") as server,
        redis.Redis.from_url(server.url) as client,
    ):
        publish(server.url)
        keys = KeyStore(client)
        past = KeyStore(client, clock=lambda: 1_760_000_000.0)

        def key(tenant, store=keys, *, expires_in_s=None):
            scopes = scopes_of(["submit", "read"])
            return store.create(tenant=tenant, scopes=scopes, expires_in_s=expires_in_s)

        owner, stranger, revoked = key("acme"), key("stranger"), key("acme")
        expired = key("acme", past, expires_in_s=60)
        keys.revoke(revoked[1].id)
        with (
            running(server.url, directory / "web.log") as url,
            httpx.Client(base_url=url, trust_env=False, timeout=20) as web,
        ):
            made = web.post(URL, files={"image": PNG}, headers=bearer(owner[0]))
            texts = [text for text, _ in (owner, stranger, revoked, expired)]
            yield Edge(web, *texts, made.raise_for_status().headers["Location"])


BAD_KEYS = {
    "wrong": lambda edge: bearer(f"ll_{'0' * 12}_{'A' * 43}"),
    "revoked": lambda edge: bearer(edge.revoked),
    "expired": lambda edge: bearer(edge.expired),
    "another's secret": lambda edge: bearer(edge.owner[:16] + edge.stranger[16:]),
    "cut": lambda edge: bearer(edge.owner[:-1]),
    "beyond ASCII": lambda edge: {"Authorization": "Bearer ll_é".encode("latin-1")},
    "in the query": lambda edge: {},
}
# What can be no key of ours, and may be a proxy's.
FOREIGN = {
    "empty": lambda edge: {"Authorization": "Bearer"},
    "long": lambda edge: bearer("x" * 5_000),
    "Basic": lambda edge: {
        "Authorization": f"Basic {base64.b64encode(edge.owner.encode()).decode()}"
    },
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("kind", BAD_KEYS)
def test_every_key_that_is_not_good_gets_the_answer_of_no_key(edge, kind, method):
    path = {"GET": edge.path, "POST": URL}[method]
    without = edge.web.request(method, path)
    query = {"key": edge.owner} if kind == "in the query" else {}
    answer = edge.web.request(method, path, params=query, headers=BAD_KEYS[kind](edge))
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthorized")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json() == without.json()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_key_of_ours_is_refused_with_where_to_send_one(edge, kind, method):
    path = {"GET": edge.path, "POST": URL}[method]
    answer = edge.web.request(method, path, headers=FOREIGN[kind](edge))
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthorized")
    assert "Limelight-Api-Key" in answer.json()["detail"]
    another = edge.web.request(method, path, headers=bearer("another-services-token"))
    assert answer.json() == another.json()


@pytest.mark.parametrize(
    "rest",
    ["", "/events", "/image", "/segments.png", "/attributions.json", "/overlays/1/signed.png"],
)
def test_anothers_job_is_exactly_an_unknown_one(edge, rest):
    answers = [
        edge.web.get(path + rest, headers=bearer(edge.stranger)) for path in (edge.path, UNKNOWN)
    ]
    problems = [answer.json() for answer in answers]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert [problem.pop("instance") for problem in problems] == [edge.path + rest, UNKNOWN + rest]
    assert problems[0] == problems[1]
    assert edge.web.get(edge.path, headers=bearer(edge.owner)).status_code == 200


@pytest.mark.parametrize(
    ("method", "rest"), [("POST", "/cancel"), ("POST", "/share"), ("DELETE", "")]
)
def test_anothers_job_cannot_be_changed_either(edge, method, rest):
    answer = edge.web.request(method, edge.path + rest, headers=bearer(edge.stranger))
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")
    mine = edge.web.get(edge.path, headers=bearer(edge.owner)).json()
    assert mine["status"] == "queued"


def test_anothers_job_is_in_no_list(edge):
    assert edge.web.get(URL, headers=bearer(edge.owner)).json()["explanations"]
    assert edge.web.get(URL, headers=bearer(edge.stranger)).json()["explanations"] == []
