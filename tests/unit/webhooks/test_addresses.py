from __future__ import annotations

import pytest

from tests.support.hostile_urls import HOSTILE_URLS, INTERNAL_ADDRESSES
from worker.webhooks.addresses import (
    AddressRefused,
    BadWebhookUrl,
    Policy,
    Target,
    check_addresses,
    check_url,
    host_of,
    parse_network,
)

STRICT = Policy()
EXAMPLE = Target(scheme="https", host="example.org", port=443, path="/")


@pytest.mark.parametrize("url", HOSTILE_URLS, ids=lambda url: repr(url)[:50])
def test_a_hostile_url_is_refused(url: str) -> None:
    with pytest.raises(BadWebhookUrl) as refusal:
        check_url(url, STRICT)
    assert refusal.value.reason.startswith("must ")


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://example.org", "example.org", 443, "/"),
        ("HTTPS://Example.ORG/", "example.org", 443, "/"),
        ("https://a.example.org:8443/a/b?c=d&e=%20", "a.example.org", 8443, "/a/b?c=d&e=%20"),
        ("https://example.org?x=1", "example.org", 443, "/?x=1"),
        ("https://my_host.example.org/", "my_host.example.org", 443, "/"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/"),
        ("https://1.1.1.1/", "1.1.1.1", 443, "/"),
        ("https://[2606:4700::1111]/", "2606:4700::1111", 443, "/"),
        ("https://[2606:4700:0::0:1111]/", "2606:4700::1111", 443, "/"),
    ],
)
def test_a_public_url_is_taken_apart(url: str, host: str, port: int, path: str) -> None:
    assert check_url(url, STRICT) == Target(scheme="https", host=host, port=port, path=path)


def test_the_host_header_shows_a_port_only_where_it_is_not_the_usual_one() -> None:
    policy = Policy(allow_http=True)
    shown = [
        check_url(url, policy).authority
        for url in (
            "https://a.example:443/",
            "https://a.example:80/",
            "http://a.example/",
            "https://[2606:4700::1111]:8443/",
        )
    ]
    assert shown == ["a.example", "a.example:80", "a.example", "[2606:4700::1111]:8443"]


def test_http_has_to_be_allowed() -> None:
    assert check_url("http://example.org/", Policy(allow_http=True)).port == 80


def test_a_host_that_is_named_may_be_internal_and_have_any_port() -> None:
    policy = Policy(hosts=frozenset({"hooks.internal", "127.0.0.1", "redis"}))
    for url in ("https://Hooks.Internal:9000/x", "https://127.0.0.1:1234/", "https://redis:6379/"):
        check_url(url, policy)
    with pytest.raises(BadWebhookUrl):
        check_url("https://other.internal/", policy)
    # Another way to write a named address is still refused.
    with pytest.raises(BadWebhookUrl):
        check_url("https://127.1:1234/", policy)


def test_hosts_and_networks_can_be_added_for_a_tenant() -> None:
    policy = Policy(hosts=frozenset({"a.internal"})).allowing(["B.internal", "10.1.0.0/16"])
    assert policy.hosts == {"a.internal", "b.internal"}
    assert policy.networks == (parse_network("10.1.0.0/16"),)
    with pytest.raises(ValueError, match="host bits"):
        policy.allowing(["10.1.2.3/16"])


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://A.example:8443/x@y", "a.example"),
        ("http://[::1]:80/", "[::1]"),
        ("nonsense", "nonsense"),
    ],
)
def test_deliveries_are_counted_by_host(url: str, host: str) -> None:
    assert host_of(url) == host


def test_a_network_that_is_named_may_be_called_and_no_other() -> None:
    policy = Policy(networks=(parse_network("10.1.0.0/16"), parse_network("fd12::/32")))
    check_url("https://10.1.2.3:9000/", policy)
    check_url("https://[fd12::9]/", policy)
    for url in ("https://10.2.0.1/", "https://[::ffff:10.1.2.3]/", "https://127.0.0.1/"):
        with pytest.raises(BadWebhookUrl):
            check_url(url, policy)
    assert [str(found) for found in check_addresses(["10.1.9.9"], EXAMPLE, policy)] == ["10.1.9.9"]
    with pytest.raises(AddressRefused):
        check_addresses(["::ffff:10.1.2.3"], EXAMPLE, policy)


@pytest.mark.parametrize("address", INTERNAL_ADDRESSES)
def test_a_name_that_resolves_to_an_internal_address_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused) as refusal:
        check_addresses([address], EXAMPLE, STRICT)
    assert address not in str(refusal.value)


def test_one_internal_address_among_public_ones_refuses_all() -> None:
    with pytest.raises(AddressRefused):
        check_addresses(["1.1.1.1", "2606:4700::1111", "10.0.0.1"], EXAMPLE, STRICT)


def test_a_name_without_an_address_is_refused() -> None:
    with pytest.raises(AddressRefused):
        check_addresses([], EXAMPLE, STRICT)


def test_public_addresses_are_kept_in_their_order() -> None:
    found = check_addresses(["2606:4700::1111", "1.1.1.1"], EXAMPLE, STRICT)
    assert [str(address) for address in found] == ["2606:4700::1111", "1.1.1.1"]


def test_a_named_host_may_resolve_to_anything() -> None:
    policy = Policy(hosts=frozenset({"example.org"}))
    assert len(check_addresses(["127.0.0.1", "fe80::1"], EXAMPLE, policy)) == 2
