"""Who is let in: keys, their scopes, and that one answer tells nothing of another's reason."""

from __future__ import annotations

import io

import pytest

from tests.support import pictures
from tests.unit.web.fakes import NOW
from web.auth import Guarded
from web.keyring import REMEMBERED_S

URL = "/v1/explanations"
OPEN = {
    "/v2/health/live", "/v2/health/ready", "/session",
    "/problems/<slug>", "/docs", "/openapi.json", "/assets/<asset>",
    "/sign-in", "/sign-out",
}  # fmt: skip


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def post(service, **more):
    return service.client.post(URL, data={"image": (io.BytesIO(pictures.png()), "x.png")}, **more)


def test_without_any_key_the_service_is_for_whoever_can_connect(service):
    answer = post(service)
    assert answer.status_code == 202
    assert service.client.get(answer.headers["Location"]).status_code == 200
    assert {ref.tenant for ref in service.store.jobs} == {"default"}


def test_with_a_key_nobody_gets_in_without(service):
    service.keys.add("ll_good")
    for answer in (post(service), service.client.get("/v1/models")):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="limelight"'
    assert service.is_untouched()


@pytest.mark.parametrize("foreign", ["Basic dXNlcjpwYXNz", "Bearer eyJhbGciOi.J9.x", ""])
def test_a_key_has_a_header_of_its_own_where_a_proxy_uses_authorization(service, foreign):
    service.keys.add("ll_good")
    headers = {"Limelight-Api-Key": "ll_good", "Authorization": foreign}
    assert service.client.get("/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize("wrong", ["ll_wrong", "", "Bearer ll_good"])
def test_a_wrong_key_in_that_header_is_refused_whatever_authorization_says(service, wrong):
    service.keys.add("ll_good")
    headers = {"Limelight-Api-Key": wrong, **bearer("ll_good")}
    assert service.client.get("/v1/models", headers=headers).status_code == 401


def test_beyond_this_machine_nobody_gets_in_without_a_key_even_if_there_is_none(make_service):
    # As after Redis was emptied: the service must not stand open.
    service = make_service(bind="0.0.0.0:8000")
    assert service.client.get("/v1/models").status_code == 401
    service = make_service(bind="0.0.0.0:8000", allow_anonymous=True)
    assert service.client.get("/v1/models").status_code == 200


def test_a_process_that_has_seen_a_key_never_opens_again(service):
    service.keys.add("ll_good")
    assert service.client.get("/v1/models").status_code == 401
    service.keys.kept.clear()
    assert service.client.get("/v1/models").status_code == 401


def test_missing_wrong_revoked_and_expired_keys_are_answered_alike(service):
    for text in ("ll_good", "ll_revoked", "ll_expired"):
        service.keys.add(text)
    service.keys.change("ll_revoked", revoked_at=NOW)
    service.keys.change("ll_expired", expires_at=NOW)
    headers = [
        {},
        bearer("ll_wrong"),
        bearer("ll_revoked"),
        bearer("ll_expired"),
        bearer("ll_go\udcff".encode("utf-8", "surrogateescape").decode("latin-1")),
        {"Cookie": "limelight_session=junk"},
    ]
    answers = [service.client.get("/v1/models", headers=sent) for sent in headers]
    answers.append(service.client.get("/v1/models?share=junk"))
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.data for answer in answers}) == 1
    assert len({str(answer.headers) for answer in answers}) == 1


# What proxies and identity providers put there, and a key without its scheme.
FOREIGN = ("Basic Ym9iOng=", "Negotiate YII=", "Bearer eyJhbGciOi.J9.x", "Bearer ", "ll_good", "")


@pytest.mark.parametrize("header", FOREIGN)
def test_credentials_that_are_none_of_ours_count_for_nothing_where_there_are_no_keys(
    service, header
):
    answer = service.client.get("/v1/models", headers={"Authorization": header})
    assert answer.status_code == 200


@pytest.mark.parametrize("header", FOREIGN)
def test_credentials_that_are_none_of_ours_are_told_so_where_there_are_keys(service, header):
    service.keys.add("ll_good")
    answer = service.client.get("/v1/models", headers={"Authorization": header})
    assert answer.status_code == 401
    assert "holds no API key of this service (Bearer ll_...)" in answer.json["detail"]
    assert "Limelight-Api-Key" in answer.json["detail"]


def test_a_key_that_is_not_good_is_refused_even_where_there_are_none(service):
    # Whoever sends one takes the service for another, or its keys were lost.
    for headers in (bearer("ll_wrong"), {"Limelight-Api-Key": "wrong"}):
        assert service.client.get("/v1/models", headers=headers).status_code == 401


@pytest.mark.parametrize("header", ["Bearer ll_good", "bearer ll_good", "Bearer  ll_good "])
def test_a_good_key_opens(service, header):
    service.keys.add("ll_good")
    answer = service.client.get("/v1/models", headers={"Authorization": header})
    assert answer.status_code == 200


def test_a_job_belongs_to_the_tenant_of_the_key(service):
    service.keys.add("ll_good", tenant="acme")
    answer = post(service, headers=bearer("ll_good"))
    assert answer.status_code == 202
    assert {ref.tenant for ref in service.store.jobs} == {"acme"}
    assert {key.split("/")[0] for key in service.blobs.kept} == {"acme"}


def test_a_scope_that_the_key_lacks_is_named(service):
    service.keys.add("ll_reader", scopes="read")
    service.keys.add("ll_writer", scopes="submit")
    answers = [
        post(service, headers=bearer("ll_reader")),
        service.client.get("/v1/models", headers=bearer("ll_writer")),
    ]
    for answer, scope in zip(answers, ("submit", "read"), strict=True):
        assert answer.status_code == 403
        assert answer.json["type"] == "/problems/forbidden"
        assert scope in answer.json["detail"]
    assert service.is_untouched()


def test_a_key_is_looked_up_once_for_many_polls(service):
    service.keys.add("ll_good")
    service.client.get("/v1/models", headers=bearer("ll_good"))
    before = service.keys.reads
    for _ in range(20):
        assert service.client.get("/v1/models", headers=bearer("ll_good")).status_code == 200
    assert service.keys.reads == before


def test_a_key_is_not_believed_for_long_after_it_was_looked_up():
    assert REMEMBERED_S < 5


def test_keys_that_cannot_be_looked_up_let_nobody_in(service):
    service.keys.add("ll_good")
    service.keys.down = True
    for headers in ({}, bearer("ll_good")):
        answer = service.client.get("/v1/models", headers=headers)
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers


def test_every_route_says_what_it_needs(service):
    app = service.client.application
    views = {rule.rule: app.view_functions[rule.endpoint] for rule in app.url_map.iter_rules()}
    assert {path for path, view in views.items() if not isinstance(view, Guarded)} == set()
    is_open = {path for path, view in views.items() if view.is_open}
    assert is_open <= OPEN


def test_every_other_route_is_closed_without_a_key(service):
    service.keys.add("ll_good")
    app = service.client.application
    tried = 0
    for rule in app.url_map.iter_rules():
        if app.view_functions[rule.endpoint].is_open:
            continue
        path = rule.rule.replace("<", "").replace(">", "")
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            assert service.client.open(path, method=method).status_code == 401
            tried += 1
    assert tried > 8


def test_a_view_that_says_nothing_is_closed(service):
    app = service.client.application
    app.add_url_rule("/forgotten", view_func=lambda: "secret", endpoint="forgotten")
    assert service.client.get("/forgotten").status_code == 403


def test_health_needs_no_key(service):
    service.keys.add("ll_good")
    assert service.client.get("/v2/health/live").status_code == 200
    assert service.client.get("/v2/health/ready").status_code == 200


def test_a_page_of_another_site_cannot_submit_to_a_service_without_keys(service):
    answer = post(service, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert service.is_untouched()
    assert post(service, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 202
