"""Share links: one job, for a time, to look at."""

from __future__ import annotations

import pytest

from tests.support import pictures
from tests.support.requests import MULTIPART, form
from tests.unit.web.fakes import NOW, MemoryKeys
from web.keyring import KeyRing
from web.principal import ANONYMOUS
from web.shares import Shares
from web.tickets import Tickets

URL = "/v1/explanations"
KEY = {"Authorization": "Bearer ll_good"}


@pytest.fixture
def service(make_service):
    service = make_service()
    service.keys.add("ll_good")
    return service


def submit(service):
    body = form(pictures.png())
    answer = service.client.post(URL, data=body, content_type=MULTIPART, headers=KEY)
    return answer.get_json()["id"]


def share(service, job_id, **body):
    return service.client.post(f"{URL}/{job_id}/share", json=body, headers=KEY)


def test_who_has_the_link_sees_the_job_and_its_pictures_without_a_key(service):
    job_id = submit(service)
    answer = share(service, job_id, expires_in_s=3600)
    assert answer.status_code == 201
    url, token = answer.get_json()["url"], answer.get_json()["token"]
    assert service.client.get(f"{URL}/{job_id}").status_code == 401
    assert service.client.get(url).get_json()["id"] == job_id
    picture = service.client.get(f"{URL}/{job_id}/image", query_string={"share": token})
    assert picture.data == pictures.png()


def test_the_link_opens_nothing_else(service):
    job_id, other = submit(service), submit(service)
    token = share(service, job_id).get_json()["token"]

    def ask(method, path):
        return service.client.open(path, method=method, query_string={"share": token})

    unknown = "exp_" + "0" * 32
    hidden, missing = ask("GET", f"{URL}/{other}"), ask("GET", f"{URL}/{unknown}")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.data.replace(other.encode(), unknown.encode()) == missing.data
    for path in ("/v1/models", "/session"):
        assert ask("GET", path).status_code == 403
    for path in (URL, f"{URL}/{job_id}/share"):
        assert ask("POST", path).status_code == 403


def test_a_link_says_for_how_long_it_is_good(service):
    job_id = submit(service)
    for wrong in (0, 59, 30 * 86_400 + 1, "60", True, 1.5):
        answer = share(service, job_id, expires_in_s=wrong)
        assert answer.status_code == 422
        assert answer.get_json()["errors"][0]["pointer"] == "/expires_in_s"
    for unsaid in ({}, {"expires_in_s": None}):
        assert "expires_at" in share(service, job_id, **unsaid).get_json()
    assert service.client.post(f"{URL}/{job_id}/share", headers=KEY).status_code == 201


def test_only_a_job_that_is_there_can_be_shared(service):
    for job_id in ("exp_" + "0" * 32, "x"):
        assert share(service, job_id).status_code == 404


def test_a_link_ends_with_its_time_with_its_key_and_never_opens_a_closed_service():
    now, keys = NOW, MemoryKeys()
    ring = KeyRing(keys, clock=lambda: now, wall_clock=lambda: now)
    shares = Shares(Tickets(keys.secret, purpose="share"), ring, wall_clock=lambda: now)
    open_to_all, _ = shares.make(ANONYMOUS, "exp_1", expires_in_s=1e9)
    assert shares.holder_of(open_to_all).tenant == "default"
    keys.add("ll_good")
    now += 5
    assert shares.holder_of(open_to_all) is None
    token, expires_at = shares.make(ring.holder_of("ll_good"), "exp_1", expires_in_s=60)
    assert expires_at == now + 60
    found = shares.holder_of(token)
    assert (found.tenant, found.scopes, found.only_job) == ("acme", {"read"}, "exp_1")
    now += 60
    assert shares.holder_of(token) is None
    token, _ = shares.make(ring.holder_of("ll_good"), "exp_1", expires_in_s=60)
    keys.change("ll_good", revoked_at=now)
    now += 5
    assert shares.holder_of(token) is None


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "x" * 5000])
def test_a_token_that_is_none_is_answered_like_no_key(service, token):
    answer = service.client.get("/v1/models", query_string={"share": token})
    assert answer.status_code == 401
