"""An image that is named by its URL: which may be asked for, and what becomes of the bytes."""

from __future__ import annotations

import pytest

from tests.support import pictures
from tests.support.connects import watched
from tests.support.hostile_urls import HOSTILE_URLS, INTERNAL_ADDRESSES
from tests.support.requests import as_base64
from tests.unit.web.conftest import fetcher
from tests.unit.web.fakes import FixedImages
from web.errors import ImageTooLarge, InvalidRequest, TooManyFetches
from web.settings import WebSettings
from worker.jobs.job import upload_key
from worker.jobs.tenants import Tenants, TenantSettings
from worker.webhooks.addresses import Policy
from worker.webhooks.settings import policies

URL = "/v1/explanations"
CAT = "https://images.example.org/cat.png?signature=hunter2"
PNG = pictures.png()


def post(service, url=CAT, headers=None, **more):
    return service.client.post(URL, json={"image": {"url": url}, **more}, headers=headers)


def refused(by, url):
    """What is said of a URL, and that nothing was connected to."""
    with watched() as seen, pytest.raises(InvalidRequest) as raised:
        by.fetch(url, tenant="default")
    assert seen.connected == []
    (field,) = raised.value.fields
    assert field.pointer == "/image/url"
    return field.detail


def test_a_fetched_image_makes_the_job_that_its_upload_makes(make_service):
    service = make_service(images=FixedImages({CAT: PNG}))
    answer = post(service, metadata={"ticket": "1"})
    assert answer.status_code == 202, answer.get_json()
    (fetched,) = service.store.jobs.values()
    assert service.blobs.kept == {upload_key(fetched.ref): PNG}
    body = {"image": as_base64(PNG), "metadata": {"ticket": "1"}}
    service.client.post(URL, json=body)
    uploaded = next(job for ref, job in service.store.jobs.items() if ref != fetched.ref)
    assert (fetched.image, fetched.request) == (uploaded.image, uploaded.request)
    assert "hunter2" not in str(fetched)


def test_an_idempotency_key_stands_for_the_bytes_and_not_for_the_url(make_service):
    images = FixedImages({CAT: PNG, "https://mirror.example.org/": PNG})
    service, headers = make_service(images=images), {"Idempotency-Key": "k"}
    first = post(service, headers=headers).get_json()
    again = post(service, "https://mirror.example.org/", headers=headers)
    assert again.get_json()["id"] == first["id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    images.kept[CAT] = pictures.jpeg()
    assert post(service, headers=headers).get_json()["type"] == "/problems/idempotency-mismatch"


@pytest.mark.parametrize(
    ("found", "status", "slug"),
    [
        (InvalidRequest.at("/image/url", "leads to a redirect"), 422, "invalid-request"),
        (ImageTooLarge.at("/image/url", "leads to more than 9 bytes"), 413, "payload-too-large"),
        (TooManyFetches(), 503, "unavailable"),
        (b"<html>", 415, "unsupported-image"),
        (b"", 422, "invalid-image"),
        (PNG[:-20], 422, "invalid-image"),
    ],
)
def test_what_does_not_come_or_is_no_image_leaves_nothing_behind(make_service, found, status, slug):
    service = make_service(images=FixedImages({CAT: found}))
    problem = post(service, headers={"Idempotency-Key": "k"}).get_json()
    assert (problem["status"], problem["type"]) == (status, f"/problems/{slug}")
    assert service.is_untouched()
    service = make_service(images=FixedImages({CAT: PNG}))
    assert post(service, headers={"Idempotency-Key": "k"}).status_code == 202


def test_nothing_is_fetched_for_a_request_whose_fields_are_wrong(make_service):
    service = make_service(images=(images := FixedImages({CAT: PNG})))
    assert post(service, retention_s=1).status_code == 422
    assert images.asked == []


def test_it_is_off_unless_hosts_are_allowed():
    assert "the operator has not allowed any hosts" in refused(fetcher(), CAT)


@pytest.mark.parametrize("host", ["example.org", "images.example.org.evil.net", "evilexample.org"])
def test_other_hosts_are_not_asked(host):
    said = refused(fetcher(hosts=("images.example.org", ".example.net")), f"https://{host}/")
    assert said == "must be at a host that the operator allows to fetch images from"


@pytest.mark.parametrize("host", ["example.org", "a.example.org", "A.B.Example.ORG"])
def test_a_name_with_a_dot_before_it_means_subdomains_too(host):
    asked = []

    def resolve(name, _port):
        asked.append(name)
        raise OSError

    said = refused(fetcher(hosts=(".example.org",), resolve=resolve), f"https://{host}/")
    assert said == "names a host that was not found"
    assert asked == [host.lower()]


@pytest.mark.parametrize("url", HOSTILE_URLS, ids=lambda url: repr(url)[:50])
def test_what_no_webhook_may_be_is_refused_and_not_resolved(url):
    with watched() as seen:
        refused(fetcher(hosts=("example.org", ".internal", "localhost", "127.0.0.1")), url)
    assert seen.resolved == []


@pytest.mark.parametrize("address", INTERNAL_ADDRESSES)
def test_an_allowed_host_with_an_internal_address_is_not_asked_and_the_address_not_told(address):
    by = fetcher(hosts=(".example.org",), resolve=lambda _host, _port: ["1.1.1.1", address])
    said = refused(by, CAT)
    assert said == "must not lead to an internal address or one of special purpose"


def test_http_is_for_where_the_operator_allows_it_to_webhooks():
    def nowhere(_host, _port):
        raise OSError

    hosts = ("images.example.org",)
    plain = CAT.replace("https", "http")
    assert refused(fetcher(hosts=hosts), plain) == "must begin with https://"
    by = fetcher(hosts=hosts, policy_of=lambda _: Policy(allow_http=True), resolve=nowhere)
    assert refused(by, plain) == "names a host that was not found"


def test_the_rules_are_those_of_the_tenant():
    named = {"acme": TenantSettings(webhook_hosts=["images.internal"])}

    def nowhere(_host, _port):
        raise OSError

    by = fetcher(
        hosts=("images.internal",),
        policy_of=policies(Policy(), Tenants(named=named)),
        resolve=nowhere,
    )
    assert "not an internal one" in refused(by, "https://images.internal/")
    with pytest.raises(InvalidRequest, match="was not found"):
        by.fetch("https://images.internal/", tenant="acme")


def test_who_asks_is_who_holds_the_key(make_service):
    service = make_service(images=(images := FixedImages({CAT: PNG})))
    service.keys.add("ll_acme", tenant="acme")
    assert post(service, headers={"Authorization": "Bearer ll_acme"}).status_code == 202
    assert images.asked == [(CAT, "acme")]


def test_no_more_are_fetched_at_once_than_may_be_and_places_are_given_back():
    inner = []

    def resolve(_host, _port):
        try:
            by.fetch(CAT, tenant="default")
        except TooManyFetches as error:
            inner.append(error)
        raise OSError

    by = fetcher(hosts=("images.example.org",), at_once=1, resolve=resolve)
    for _ in range(2):
        refused(by, CAT)
    assert len(inner) == 2


def test_hosts_are_read_with_commas_and_none_is_the_default(monkeypatch):
    assert WebSettings().image_hosts == ()
    monkeypatch.setenv("LIMELIGHT_IMAGE_HOSTS", "Images.example.org, .example.net")
    assert WebSettings().image_hosts == ("images.example.org", ".example.net")


@pytest.mark.parametrize("name", ["https://a.org", "a.org:443", "*", "*.a.org", "a.org/x", "."])
def test_a_host_that_could_never_match_stops_the_start(name):
    with pytest.raises(ValueError, match=r"host names or addresses .* without scheme, port"):
        WebSettings(image_hosts=name)


def test_half_of_the_threads_keep_serving():
    assert [WebSettings(web_threads=n).fetches_at_once for n in (1, 2, 8)] == [1, 1, 4]
