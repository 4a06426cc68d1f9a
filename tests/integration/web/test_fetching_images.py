"""Images by URL, from servers on loopback that answer well, badly, slowly, without end."""

from __future__ import annotations

import gzip
import ssl
import time

import httpx
import pytest

from tests.integration.web.conftest import publish
from tests.support import pictures
from tests.support.authority import Authority
from tests.support.connects import watched
from tests.support.private_redis import messages
from tests.support.receiver import LOOPBACK, OK, Receiver, answer, drip, hang, status
from tests.support.web_process import running
from web.errors import ImageTooLarge, InvalidRequest
from web.fetching import ImageFetcher
from worker.webhooks.addresses import Policy, parse_network
from worker.webhooks.network import MAX_ANSWER_BYTES

pytestmark = pytest.mark.integration

URL = "/v1/explanations"
NAME = "images.example.org"
PNG = pictures.png()
LIMIT = 200_000
CHUNKED = "Transfer-Encoding: chunked"
LOCAL = Policy(allow_http=True, hosts=frozenset({LOOPBACK, NAME}))


def fetcher(*, ca=None, policy=LOCAL, address=LOOPBACK, **changes):
    usual = {
        "hosts": (LOOPBACK, ".example.org"),
        "policy_of": lambda _tenant: policy,
        "most_bytes": LIMIT,
        "at_once": 4,
        "tls": ssl.create_default_context(cafile=ca),
        "timeout_s": 1.0,
        "resolve": lambda _host, _port: [address],
    }
    return ImageFetcher(**{**usual, **changes})


def fetch(url, by=None):
    return (by or fetcher()).fetch(url, tenant="default")


def head(*headers):
    return "\r\n".join(["HTTP/1.1 200 X", *headers, "", ""]).encode()


def sent(data, *headers):
    return answer(head(*headers) + data)


def told(behaviour, kind=InvalidRequest, by=None):
    """What is said of what a server answers; it names no address."""
    with Receiver(behaviour) as server, pytest.raises(kind) as raised:
        fetch(server.url(), by)
    assert type(raised.value) is kind
    assert LOOPBACK not in str(raised.value)
    (field,) = raised.value.fields
    assert field.pointer == "/image/url"
    return field.detail


@pytest.mark.parametrize(
    "behaviour",
    [
        sent(PNG, f"Content-Length: {len(PNG)}"),
        sent(PNG, f"Content-Length: {len(PNG)}", "Content-Encoding: Identity"),
        sent(b"%x\r\n%s\r\n0\r\n\r\n" % (len(PNG), PNG), CHUNKED),
    ],
    ids=["with its length", "as it is", "in chunks"],
)
def test_the_bytes_come_as_they_are(behaviour):
    with Receiver(behaviour) as server:
        assert fetch(server.url("/cat.png?size=1")) == PNG
        [request] = server.requests
    assert request.line == "GET /cat.png?size=1 HTTP/1.1"
    assert request.headers == {
        "host": f"{LOOPBACK}:{server.port}",
        "connection": "close",
        "user-agent": "Limelight",
        "accept": "image/*",
        "accept-encoding": "identity",
    }


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(code):
    with Receiver() as other:
        said = told(status(code, f"Location: {other.url()}"))
        assert other.connections == 0
    assert said == "leads to a redirect, and these are not followed"


@pytest.mark.parametrize("code", [204, 206, 403, 404, 500])
def test_another_status_is_told(code):
    assert told(status(code)) == f"was answered with status {code} instead of an image"


def test_a_length_over_the_limit_is_not_read():
    began = time.monotonic()
    said = told(sent(b"", f"Content-Length: {LIMIT + 1}"), ImageTooLarge)
    assert said == f"leads to more than {LIMIT} bytes"
    assert time.monotonic() - began < 0.9, "it waited for the body"


@pytest.mark.parametrize(
    "behaviour",
    [
        sent(b"x" * (LIMIT + 1)),
        sent(b"%x\r\n%s" % (LIMIT + 1, b"x" * (LIMIT + 1)), CHUNKED),
        drip(b"1\r\nx\r\n" * 10_000, every_s=0, start=head(CHUNKED)),
        drip(b"x" * 10_000, every_s=0, start=head()),
    ],
    ids=["until the end", "in one chunk", "in small chunks", "without end"],
)
def test_a_body_that_does_not_say_its_length_is_counted(behaviour):
    said = told(behaviour, ImageTooLarge, fetcher(timeout_s=20.0))
    assert said == f"leads to more than {LIMIT} bytes"


def test_an_image_as_large_as_may_be_comes():
    with Receiver(sent(b"x" * LIMIT, f"Content-Length: {LIMIT}")) as server:
        assert len(fetch(server.url())) == LIMIT
    assert LIMIT > MAX_ANSWER_BYTES


def test_a_body_shorter_than_its_length_is_not_an_image():
    assert "broken off" in told(sent(PNG, f"Content-Length: {len(PNG) + 1}"))


def test_of_a_body_longer_than_its_length_the_rest_is_not_read():
    with Receiver(sent(PNG + b"x" * LIMIT, f"Content-Length: {len(PNG)}")) as server:
        assert fetch(server.url()) == PNG


@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, identity"])
def test_what_is_compressed_is_refused_before_it_is_read(encoding):
    bomb = gzip.compress(bytes(1_000_000))
    said = told(sent(bomb, f"Content-Encoding: {encoding}", f"Content-Length: {len(bomb)}"))
    assert "compressed" in said


@pytest.mark.parametrize(
    "behaviour",
    [
        hang(10),
        drip(b"x", every_s=0.1, start=head("Content-Length: 100000")),
        drip(b"X-More: 1\r\n", every_s=0.1, start=b"HTTP/1.1 200 X\r\n"),
        drip(b"1\r\nx\r\n", every_s=0.1, start=head(CHUNKED)),
    ],
    ids=["silence", "a slow body", "slow headers", "slow chunks"],
)
def test_the_time_is_for_all_of_it(behaviour):
    began = time.monotonic()
    assert told(behaviour) == "did not deliver the image within 1 s"
    assert 0.9 < time.monotonic() - began < 4


def test_a_name_that_is_not_resolved_in_time_is_not_waited_for():
    by = fetcher(resolve=lambda _host, _port: time.sleep(2) or [LOOPBACK], timeout_s=0.3)
    with pytest.raises(InvalidRequest, match=r"within 0\.3 s"):
        fetch(f"http://{NAME}/", by)


def test_what_is_no_http_and_what_does_not_listen_is_told_alike():
    said = told(answer(b"SSH-2.0-OpenSSH\r\n"))
    with Receiver() as server:
        gone = server.url()
    with pytest.raises(InvalidRequest) as raised:
        fetch(gone)
    assert raised.value.fields[0].detail == said


def test_an_internal_address_is_not_connected_to_though_its_host_is_allowed():
    with Receiver() as internal, watched() as seen:
        by = fetcher(policy=Policy(allow_http=True, ports=frozenset({internal.port})))
        for host in (LOOPBACK, NAME):
            with pytest.raises(InvalidRequest, match="internal address") as raised:
                fetch(internal.url(host=host), by)
            assert LOOPBACK not in str(raised.value)
        assert seen.connected == []


def test_the_checked_address_is_the_one_that_is_connected_to():
    with (
        Receiver(sent(b"inside", "Content-Length: 6")) as internal,
        Receiver(sent(PNG, f"Content-Length: {len(PNG)}"), address="127.0.0.2", port=internal.port)
        as public,
    ):  # fmt: skip
        policy = Policy(
            allow_http=True,
            networks=(parse_network("127.0.0.2"),),
            ports=frozenset({public.port}),
        )
        by = fetcher(policy=policy, address="127.0.0.2")
        with watched() as seen:
            assert fetch(public.url(host=NAME), by) == PNG
        assert seen.connected == [("127.0.0.2", public.port)]
        assert internal.connections == 0


def test_no_proxy_is_taken_from_the_environment(monkeypatch):
    with Receiver() as proxy, Receiver(sent(PNG, f"Content-Length: {len(PNG)}")) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        assert fetch(server.url()) == PNG
        assert proxy.connections == 0


def test_over_tls_the_certificate_must_be_the_hosts(tmp_path):
    authority = Authority(tmp_path, "ours")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue(NAME))
    with Receiver(sent(PNG, f"Content-Length: {len(PNG)}"), tls=tls) as server:
        policy = Policy(hosts=frozenset({NAME, "other.example.org"}))
        named = fetcher(ca=authority.ca, policy=policy)
        assert fetch(server.url(host=NAME), named) == PNG
        for host, ca in ((NAME, None), ("other.example.org", authority.ca)):
            by = fetcher(ca=ca, policy=policy)
            with pytest.raises(InvalidRequest, match="certificate"):
                fetch(server.url(host=host), by)


def test_a_server_that_hangs_gives_its_place_back_in_time():
    with Receiver(hang(10)) as server:
        by = fetcher(at_once=1, timeout_s=0.3)
        for _ in range(2):
            with pytest.raises(InvalidRequest, match="did not deliver"):
                fetch(server.url(), by)


@pytest.fixture(scope="module")
def fetching(tmp_path_factory, kept):
    """A client of a web process whose operator allows images from this machine over http."""
    address = kept.connection_pool.connection_kwargs
    redis_url = f"redis://{address['host']}:{address['port']}/0"
    publish(redis_url)
    log = tmp_path_factory.mktemp("web") / "web.log"
    settings = {
        "image_hosts": LOOPBACK,
        "webhook_allow_http": "true",
        "webhook_allowed_hosts": LOOPBACK,
        "max_upload_bytes": str(LIMIT),
        "web_threads": "2",
    }
    with (
        running(redis_url, log, **settings) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=20) as client,
    ):
        yield client


def left_behind(kept):
    names = {name for name in kept.scan_iter("limelight:*") if b":limits:" not in name}
    return {*names, *kept.lrange(messages("interactive"), 0, -1)}


def test_a_job_is_made_of_what_the_url_leads_to(fetching):
    with Receiver(sent(PNG, f"Content-Length: {len(PNG)}")) as server:
        answered = fetching.post(URL, json={"image": {"url": server.url("/cat.png")}})
    assert answered.status_code == 202, answered.text
    assert fetching.get(f"{answered.headers['Location']}/image").content == PNG


@pytest.mark.parametrize(
    ("behaviour", "status_code", "slug"),
    [
        (answer(OK), 422, "invalid-request"),
        (status(302, "Location: http://127.0.0.1/"), 422, "invalid-request"),
        (sent(b"x" * (LIMIT + 1), f"Content-Length: {LIMIT + 1}"), 413, "payload-too-large"),
        (sent(PNG[:-9], f"Content-Length: {len(PNG) - 9}"), 422, "invalid-image"),
        (sent(b"<html>", "Content-Length: 6"), 415, "unsupported-image"),
    ],
)
def test_what_is_no_image_leaves_nothing_behind(fetching, kept, behaviour, status_code, slug):
    before = left_behind(kept)
    with Receiver(behaviour) as server:
        answered = fetching.post(
            URL, json={"image": {"url": server.url()}}, headers={"Idempotency-Key": slug}
        )
    problem = answered.json()
    assert (answered.status_code, problem["type"]) == (status_code, f"/problems/{slug}")
    assert LOOPBACK not in answered.text
    assert left_behind(kept) == before


def test_the_service_answers_while_an_image_does_not_come(fetching):
    with Receiver(hang(20)) as server:
        with httpx.Client(base_url=fetching.base_url, trust_env=False) as other:
            began = time.monotonic()
            with pytest.raises(httpx.ReadTimeout):
                other.post(URL, json={"image": {"url": server.url()}}, timeout=1)
        busy = fetching.post(URL, json={"image": {"url": server.url()}})
        assert (busy.status_code, busy.json()["type"]) == (503, "/problems/unavailable")
        assert fetching.get("/v2/health/live").status_code == 200
        assert time.monotonic() - began < 8
