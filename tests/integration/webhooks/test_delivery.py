"""One try, against receivers that answer well, badly, slowly, never."""

from __future__ import annotations

import gzip
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.authority import Authority
from tests.support.receiver import LOOPBACK, Behaviour, Receiver, answer, drip, hang, status
from worker.webhooks.addresses import Policy, parse_network
from worker.webhooks.delivery import Sender
from worker.webhooks.network import MAX_ANSWER_BYTES
from worker.webhooks.schedule import Outcome

pytestmark = pytest.mark.integration

NAME = "hooks.example.org"
LOCAL = Policy(allow_http=True, networks=(parse_network("127.0.0.0/8"),), ports=frozenset({443}))
HEADERS = {"webhook-id": "msg_1", "User-Agent": "Limelight/test"}
BODY = b'{"type":"explanation.succeeded"}'


def sender(
    *, timeout_s: float = 2.0, addresses: tuple[str, ...] = (LOOPBACK,), ca: Path | None = None
) -> Sender:
    tls = ssl.create_default_context(cafile=ca)
    return Sender(tls=tls, timeout_s=timeout_s, resolve=lambda _host, _port: addresses)


def send(url: str, by: Sender | None = None, policy: Policy = LOCAL) -> Outcome:
    return (by or sender()).send(url, BODY, headers=HEADERS, policy=policy)


def outcome_of(behaviour: Behaviour, *, timeout_s: float = 0.5) -> Outcome:
    with Receiver(behaviour) as receiver:
        return send(receiver.url(), sender(timeout_s=timeout_s))


def test_the_request_is_the_event_and_its_headers() -> None:
    with Receiver() as receiver:
        assert send(receiver.url("/a/b?c=d")) == Outcome(status_code=204)
        [request] = receiver.requests
    assert request.line == "POST /a/b?c=d HTTP/1.1"
    assert request.body == BODY
    assert request.headers == {
        "host": f"{LOOPBACK}:{receiver.port}",
        "content-type": "application/json",
        "content-length": str(len(BODY)),
        "connection": "close",
        "webhook-id": "msg_1",
        "user-agent": "Limelight/test",
    }


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
def test_any_answer_in_the_two_hundreds_is_success(code: int) -> None:
    assert outcome_of(status(code)) == Outcome(status_code=code)


@pytest.mark.parametrize("code", [400, 401, 404, 410, 429, 500, 503])
def test_other_answers_are_failures_with_their_code(code: int) -> None:
    assert outcome_of(status(code)) == Outcome(status_code=code, error="status")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_not_followed(code: int) -> None:
    with Receiver() as other, Receiver(status(code, f"Location: {other.url()}")) as receiver:
        found = send(receiver.url())
        assert (found.status_code, found.error) == (code, "redirect")
        assert other.connections == 0


def test_a_wish_to_be_left_alone_is_read() -> None:
    assert outcome_of(status(429, "Retry-After: 120")).retry_after_s == 120.0


TOO_LATE = Outcome(error="timeout", detail="There was no complete answer within 0.5 s.")


@pytest.mark.parametrize(
    "behaviour",
    [
        hang(5),
        drip(b"H", every_s=0.05),
        drip(b"X-A: b\r\n", every_s=0.05, start=b"HTTP/1.1 200 OK\r\n"),
        drip(b"HTTP/1.1 103 Early Hints\r\n\r\n", every_s=0.05),
    ],
    ids=["silence", "no status line", "headers without end", "hints without end"],
)
def test_a_receiver_that_never_ends_its_answer_is_left_at_the_deadline(
    behaviour: Behaviour,
) -> None:
    began = time.monotonic()
    assert outcome_of(behaviour) == TOO_LATE
    assert 0.45 < time.monotonic() - began < 0.8


def test_a_receiver_that_does_not_speak_tls_is_left_at_the_deadline() -> None:
    with Receiver() as receiver:
        began = time.monotonic()
        url = receiver.url().replace("http:", "https:")
        assert send(url, sender(timeout_s=0.5)).error in {"timeout", "tls"}
        assert time.monotonic() - began < 0.8


def test_a_name_that_is_resolved_too_slowly_is_left_at_the_deadline() -> None:
    def slow(_host: str, _port: int) -> list[str]:
        time.sleep(1.0)
        return [LOOPBACK]

    by = Sender(tls=ssl.create_default_context(), timeout_s=0.3, resolve=slow)
    began = time.monotonic()
    assert send(f"https://{NAME}/", by).error == "timeout"
    assert time.monotonic() - began < 0.6


@pytest.mark.parametrize(
    "behaviour",
    [
        answer(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 10 * MAX_ANSWER_BYTES),
        answer(b"HTTP/1.1 100 Continue\r\n\r\n" * MAX_ANSWER_BYTES),
    ],
    ids=["a header", "interim answers"],
)
def test_an_answer_without_end_is_cut_off(behaviour: Behaviour) -> None:
    assert outcome_of(behaviour, timeout_s=5.0).error == "answer-too-large"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 100\r\n\r\n"
        + gzip.compress(bytes(10**7)),
    ],
    ids=["a lying length", "a lying chunk", "a gzip bomb"],
)
def test_the_body_of_an_answer_is_not_read(data: bytes) -> None:
    began = time.monotonic()
    assert outcome_of(answer(data)) == Outcome(status_code=200)
    assert time.monotonic() - began < 0.4


@pytest.mark.parametrize(
    "data", [b"", b"220 smtp.example.org ESMTP\r\n", b"HTTP/1.1 20", b"\x00" * 100, b"+PONG\r\n"]
)
def test_what_is_not_http_is_a_failure(data: bytes) -> None:
    assert outcome_of(answer(data)).error == "bad-answer"


def test_a_receiver_that_is_down_is_unreachable() -> None:
    with Receiver() as receiver:
        url = receiver.url()
    assert send(url).error == "unreachable"


def test_a_name_without_addresses_is_unresolved() -> None:
    def unknown(_host: str, _port: int) -> list[str]:
        raise OSError("Name or service not known")

    by = Sender(tls=ssl.create_default_context(), timeout_s=1.0, resolve=unknown)
    assert send(f"https://{NAME}/", by).error == "unresolved"


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as proxy, Receiver() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url("/"))
        assert send(receiver.url()).error is None
        assert proxy.connections == 0


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


@pytest.fixture
def secure(authority: Authority) -> Iterator[Receiver]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue(NAME))
    # What the client asked for, so that a test sees it.
    tls.sni_callback = lambda _, name, context: setattr(context, "asked_for", name)
    with Receiver(tls=tls) as receiver:
        yield receiver


def named(receiver: Receiver) -> tuple[str, Policy]:
    # The name is allowed no more than its network is: any port, as the receiver has.
    policy = Policy(networks=LOCAL.networks, ports=frozenset({receiver.port}))
    return receiver.url(host=NAME), policy


def test_the_certificate_is_checked_for_the_name_though_the_address_is_pinned(
    authority: Authority, secure: Receiver
) -> None:
    url, policy = named(secure)
    assert send(url, sender(ca=authority.ca), policy) == Outcome(status_code=204)
    [request] = secure.requests
    assert request.headers["host"] == f"{NAME}:{secure.port}"
    assert getattr(secure.tls, "asked_for", None) == NAME


def test_a_certificate_for_another_name_is_refused(authority: Authority, secure: Receiver) -> None:
    _, policy = named(secure)
    url = secure.url(host="other.example.org")
    found = send(url, sender(ca=authority.ca), policy)
    assert found.error == "tls"
    assert "other.example.org" in str(found.detail)
    assert secure.requests == []


def test_a_certificate_of_an_unknown_authority_is_refused(secure: Receiver, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    url, policy = named(secure)
    assert send(url, sender(ca=stranger.ca), policy).error == "tls"
    assert secure.requests == []
