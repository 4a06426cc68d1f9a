"""Signing in on the page: a cookie that scripts cannot read and other sites cannot use."""

from __future__ import annotations

import pytest

from tests.support import pictures
from tests.support.requests import MULTIPART, form
from tests.unit.web.fakes import NOW, MemoryKeys
from web.keyring import KeyRing
from web.sessions import Sessions
from web.tickets import Tickets

URL = "/v1/explanations"


@pytest.fixture
def signed_in(service):
    service.keys.add("ll_good")
    answer = service.client.post("/session", json={"key": "ll_good"})
    assert answer.status_code == 200
    return answer


def submit(service, **headers):
    body = form(pictures.png())
    return service.client.post(URL, data=body, content_type=MULTIPART, headers=headers)


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(signed_in):
    cookie = signed_in.headers["Set-Cookie"]
    for attribute in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"):
        assert attribute in cookie
    assert "Secure" not in cookie
    assert "ll_good" not in cookie
    assert signed_in.headers["Cache-Control"] == "no-store"


def test_where_other_machines_can_connect_the_cookie_travels_over_https_alone(make_service):
    service = make_service(bind="0.0.0.0:8000")
    service.keys.add("ll_good")
    answer = service.client.post("/session", json={"key": "ll_good"})
    assert "Secure" in answer.headers["Set-Cookie"]
    service = make_service(bind="0.0.0.0:8000", secure_cookies=False)
    service.keys.add("ll_good")
    answer = service.client.post("/session", json={"key": "ll_good"})
    assert "Secure" not in answer.headers["Set-Cookie"]


def test_who_is_signed_in_may_read_without_more(service, signed_in):
    assert service.client.get("/v1/models").status_code == 200
    shown = service.client.get("/session").get_json()
    assert shown == signed_in.get_json()
    assert (shown["tenant"], shown["scopes"]) == ("acme", ["read", "submit"])


def test_a_change_needs_the_token_that_only_our_pages_can_read(service, signed_in):
    token = signed_in.get_json()["csrf_token"]
    for headers in ({}, {"X-CSRF-Token": "wrong"}, {"X-CSRF-Token": token[:-1]}):
        answer = submit(service, **headers)
        assert answer.status_code == 403
        assert "X-CSRF-Token" in answer.get_json()["detail"]
    assert service.is_untouched()
    assert submit(service, **{"X-CSRF-Token": token}).status_code == 202
    assert {ref.tenant for ref in service.store.jobs} == {"acme"}


def test_a_key_in_the_header_counts_before_the_cookie(service, signed_in):
    service.keys.add("ll_other", tenant="other")
    answer = submit(service, Authorization="Bearer ll_other")
    assert answer.status_code == 202
    assert {ref.tenant for ref in service.store.jobs} == {"other"}


def test_signing_out_ends_copies_of_the_cookie_too(service, signed_in):
    copy = signed_in.headers["Set-Cookie"].split(";")[0]
    token = signed_in.get_json()["csrf_token"]
    assert service.client.delete("/session").status_code == 403
    answer = service.client.delete("/session", headers={"X-CSRF-Token": token})
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert service.client.get("/v1/models").status_code == 401
    assert service.client.get("/v1/models", headers={"Cookie": copy}).status_code == 401


def test_who_is_not_signed_in_can_sign_out(service):
    service.keys.add("ll_good")
    assert service.client.delete("/session").status_code == 204


def test_a_bad_key_opens_no_session_and_is_answered_like_any_other(service):
    service.keys.add("ll_good")
    service.keys.change("ll_good", revoked_at=NOW)
    answers = [service.client.post("/session", json={"key": key}) for key in ("ll_good", "x", "")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.data for answer in answers}) == 1
    assert not any("Set-Cookie" in answer.headers for answer in answers)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"key": "ll_good"}', "text/plain", 415),
        (b"key=ll_good", "application/x-www-form-urlencoded", 415),
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 422),
        (b'{"key": 1}', "application/json", 422),
        (b'{"key": "ll_good", "more": 1}', "application/json", 422),
        (b'{"key": "%s"}' % (b"x" * 20_000), "application/json", 413),
    ],
)
def test_a_body_that_is_no_key_is_refused(service, body, content_type, status):
    service.keys.add("ll_good")
    answer = service.client.post("/session", data=body, content_type=content_type)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"


def test_a_cookie_that_was_changed_is_none(service, signed_in):
    name, _, value = signed_in.headers["Set-Cookie"].split(";")[0].partition("=")
    for changed in (value[:-1], "A" + value, value[::-1], "", value.replace(".", ""), "x" * 2000):
        service.client.delete_cookie(name)
        answer = service.client.get("/v1/models", headers={"Cookie": f"{name}={changed}"})
        assert answer.status_code == 401


def test_a_cookie_left_over_is_no_hindrance_where_no_keys_are(service):
    answer = service.client.get("/v1/models", headers={"Cookie": "limelight_session=junk"})
    assert answer.status_code == 200
    shown = service.client.get("/session").get_json()
    assert (shown["tenant"], shown["csrf_token"]) == ("default", None)


def test_a_session_ends_with_its_time_and_with_its_key():
    now, keys = NOW, MemoryKeys()
    keys.add("ll_good")
    ring = KeyRing(keys, clock=lambda: now, wall_clock=lambda: now)
    tickets = Tickets(keys.secret, purpose="session")
    sessions = Sessions(tickets, ring, lasts_s=600, wall_clock=lambda: now)
    text, opened = sessions.open(ring.holder_of("ll_good"))
    assert sessions.find(text) == opened
    now += 599
    assert sessions.find(text) == opened
    now += 1
    assert sessions.find(text) is None
    text, _ = sessions.open(ring.holder_of("ll_good"))
    keys.change("ll_good", revoked_at=now)
    now += 5
    assert sessions.find(text) is None


def test_what_was_signed_for_another_purpose_or_by_another_secret_is_none():
    text = Tickets(lambda: "a", purpose="share").sign(["x"])
    assert Tickets(lambda: "a", purpose="share").read(text) == ["x"]
    assert Tickets(lambda: "a", purpose="session").read(text) is None
    assert Tickets(lambda: "b", purpose="share").read(text) is None
