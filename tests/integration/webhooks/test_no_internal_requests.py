"""No request to an internal address: seen by what the interpreter connects to."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Callable, Sequence
from functools import cache

import pytest

from tests.support.connects import watched
from tests.support.hostile_urls import HOSTILE_URLS, INTERNAL_ADDRESSES
from tests.support.receiver import LOOPBACK, Receiver, status
from worker.webhooks.addresses import Policy, parse_network
from worker.webhooks.delivery import Sender
from worker.webhooks.schedule import Outcome

pytestmark = pytest.mark.integration

NAME = "hooks.example.org"
# Stands for a public address: it is allowed, and its neighbour on the same port is not.
PUBLIC = "127.0.0.2"


@cache
def tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def sender(resolve: Callable[[str, int], Sequence[str]]) -> Sender:
    return Sender(tls=tls(), timeout_s=2.0, resolve=resolve)


def send(by: Sender, url: str, policy: Policy) -> Outcome:
    return by.send(url, b"{}", headers={}, policy=policy)


def test_hostile_urls_make_no_connection() -> None:
    by = sender(lambda _host, _port: ["127.0.0.1"])
    with watched() as seen:
        outcomes = {send(by, url, Policy()).error for url in HOSTILE_URLS}
    assert len(HOSTILE_URLS) >= 40
    assert outcomes == {"bad-url"}
    assert (seen.connected, seen.resolved) == ([], [])


def test_names_that_lead_to_internal_addresses_make_no_connection() -> None:
    policy = Policy(allow_http=True)
    with watched() as seen:
        for address in INTERNAL_ADDRESSES:
            for answers in ([address], ["1.1.1.1", address], [address, "2606:4700::1111"]):
                by = sender(lambda _host, _port, answers=answers: answers)
                for scheme in ("http", "https"):
                    found = send(by, f"{scheme}://{NAME}/", policy)
                    assert found.error == "address-refused"
    assert len(INTERNAL_ADDRESSES) >= 35
    assert seen.connected == []


def test_a_name_that_changes_its_address_reaches_only_what_was_checked() -> None:
    with Receiver() as internal, Receiver(address=PUBLIC, port=internal.port) as public:
        policy = Policy(
            allow_http=True,
            networks=(parse_network(f"{PUBLIC}/32"),),
            ports=frozenset({internal.port}),
        )
        # Public when it is looked up once, internal when it is looked up again, in turn.
        answers = itertools.cycle([[PUBLIC], [LOOPBACK], [PUBLIC, LOOPBACK], [LOOPBACK, PUBLIC]])
        asked = []

        def rebind(host: str, _port: int) -> list[str]:
            asked.append(host)
            return next(answers)

        by = sender(rebind)
        with watched() as seen:
            outcomes = [send(by, internal.url(host=NAME), policy) for _ in range(40)]
        assert [outcome.error for outcome in outcomes] == [None, *["address-refused"] * 3] * 10
        assert set(seen.connected) == {(PUBLIC, internal.port)}
        assert (internal.connections, public.connections) == (0, 10)
        # Each try looks the name up once, by the given resolver; the system sees addresses only.
        assert asked == [NAME] * 40
        assert set(seen.resolved) == {PUBLIC}


def test_a_redirect_to_an_internal_address_makes_no_connection() -> None:
    with (
        Receiver() as internal,
        Receiver(status(307, f"Location: {internal.url()}"), address=PUBLIC) as public,
    ):
        policy = Policy(allow_http=True, networks=(parse_network(f"{PUBLIC}/32"),))
        with watched() as seen:
            found = send(sender(lambda host, _: [host]), public.url(), policy)
        assert found.error == "redirect"
        assert seen.connected == [(PUBLIC, public.port)]
        assert internal.connections == 0
