"""Trusted hosts: what may be written, and which Host headers it answers for."""

from __future__ import annotations

import pytest

from web.hosts import TrustedHosts
from web.main import CannotStart, read_settings
from web.settings import WebSettings
from worker.jobs.public_url import OWN


def status(service, host, path="/v1/models"):
    return service.client.get(path, headers={"Host": host}).status_code


@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        ("Explain.Example.ORG", "explain.example.org"),
        ("explain.example.org", "EXPLAIN.Example.org:8443"),
        ("explain.example.org.", "explain.example.org"),
        ("explain.example.org", "explain.example.org."),
        (".Example.org", "a.b.EXAMPLE.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("STRASSE.example,straße.example", "xn--strae-oqa.example:80"),
        ("[::1]", "[::1]:8201"),
        ("::1", "[0:0:0:0:0:0:0:1]"),
        ("[2001:DB8::7],localhost", "[2001:db8:0::7]:80"),
        ("10.1.2.3", "10.1.2.3:8000"),
        ("my_app,web", "my_app:8000"),
    ],
)
def test_a_host_is_the_same_however_it_is_written(listed, asked):
    assert TrustedHosts(WebSettings(trusted_hosts=listed).answered_hosts).include(asked)


@pytest.mark.parametrize(
    "asked",
    [
        "example.org", "evil-example.org", "a.example.org.evil.org", "localhost@evil.org",
        "localhost:99999", "localhost:x", "localhost:", "[::1", "::1", "[::1]evil", "[::2]", "a b",
        "localhost,evil.org", "loc\xe4lhost", "..", "x" * 300,
    ],
)  # fmt: skip
def test_other_hosts_are_refused_with_the_setting_to_change(make_service, asked):
    service = make_service(trusted_hosts="localhost,::1,.a.example.org")
    answer = service.client.get("/v1/models", headers={"Host": asked})
    assert answer.status_code == (200 if asked == "localhost:" else 400)
    if answer.status_code == 400:
        assert "LIMELIGHT_TRUSTED_HOSTS" in answer.json["detail"]
        assert answer.json["type"] == "/problems/invalid-request"


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready"])
@pytest.mark.parametrize("host", ["10.1.2.3:8000", "[fd00::7]:8000", "example.org", "a b"])
def test_health_answers_probes_by_whatever_name_or_address(service, path, host):
    assert status(service, host, path) == 200
    assert status(service, host) == 400


@pytest.mark.parametrize(
    ("address", "status"), [("127.0.0.1", 200), ("::1", 200), ("10.1.2.3", 400)]
)
def test_who_names_no_host_asks_for_the_address_that_it_came_to(make_service, address, status):
    service = make_service(trusted_hosts="127.0.0.1,::1")
    nowhere = {"HTTP_HOST": "", "SERVER_NAME": address}
    answer = service.client.get("/v1/models", environ_overrides=nowhere)
    assert answer.status_code == status


def test_a_path_that_is_not_there_tells_other_hosts_no_more_than_any(service):
    assert status(service, "evil.org", "/nothing") == 400


@pytest.mark.parametrize(
    "text",
    [
        "https://b.example.org", "b.example.org:8000", "b.example.org/explain", "*",
        "*.example.org", "localhost,http://[::1]", "[::1]:8000", "fe80::1%eth0", "a b",
        "user@b.example.org", "-", "b..example.org", ".", "[::g]", "x" * 254,
        '["b.example.org", "https://c"]',
    ],
)  # fmt: skip
def test_what_would_never_match_stops_the_start(monkeypatch, text):
    monkeypatch.setenv("LIMELIGHT_TRUSTED_HOSTS", text)
    with pytest.raises(CannotStart, match=r"LIMELIGHT_TRUSTED_HOSTS: must be host names.*without"):
        read_settings()


@pytest.mark.parametrize(
    "text",
    [
        "explain.example.org", "ftp://example.org", "https://", "https://a:b@example.org",
        "https://example.org/?a", "https://example.org/#a", "https://example.org/a//b",
        "https://example.org/a b", "https://example.org/../x", "https://example.org/ä",
        "https://example.org:99999/", "https://*.example.org", "https://example.org/v1",
        "https://example.org/explanations/x", "/explain",
    ],
)  # fmt: skip
def test_a_public_address_that_is_none_stops_the_start(monkeypatch, text):
    monkeypatch.setenv("LIMELIGHT_PUBLIC_URL", text)
    with pytest.raises(CannotStart, match="LIMELIGHT_PUBLIC_URL: must be scheme, host"):
        read_settings()


@pytest.mark.parametrize(
    ("text", "origin", "prefix"),
    [
        ("https://Example.org", "https://example.org", ""),
        ("https://example.org:443/explain/", "https://example.org", "/explain"),
        ("http://[::1]:8080/a/b.c", "http://[::1]:8080", "/a/b.c"),
        ("https://bücher.example/e", "https://xn--bcher-kva.example", "/e"),
    ],
)
def test_a_public_address_is_read_in_its_parts(text, origin, prefix):
    public = WebSettings(public_url=text).public
    assert (str(public.origin), public.prefix) == (origin, prefix)


@pytest.mark.parametrize("text", ["nginx", "10.1.2.3/8", "10.0.0.0/8,proxy.example.org", "*"])
def test_proxies_are_named_by_address(monkeypatch, text):
    monkeypatch.setenv("LIMELIGHT_TRUSTED_PROXIES", text)
    with pytest.raises(CannotStart, match="LIMELIGHT_TRUSTED_PROXIES: must be addresses or"):
        read_settings()


def test_no_prefix_can_be_taken_for_a_path_of_our_own(service):
    rules = service.client.application.url_map.iter_rules()
    assert {rule.rule.split("/")[1] for rule in rules} - {""} == OWN


@pytest.mark.parametrize("text", [",", " , ,", "[]"])
def test_a_list_without_a_host_stops_the_start_in_words(monkeypatch, text):
    monkeypatch.setenv("LIMELIGHT_TRUSTED_HOSTS", text)
    with pytest.raises(CannotStart, match="LIMELIGHT_TRUSTED_HOSTS: must name at least one host"):
        read_settings()
