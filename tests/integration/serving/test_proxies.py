"""The proxy that a profile names is used, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from tests.integration.serving.conftest import MakeModel
from tests.integration.serving.server import HEIGHT, LOOPBACK, WIDTH, Serving, running
from tests.support.authority import Authority
from tests.support.connect_proxy import ConnectProxy, connect_proxy
from worker.check import check_profiles
from worker.serving.errors import PredictorUnavailable
from worker.serving.profile import Tls

pytestmark = pytest.mark.integration

# No resolver knows it: only a proxy can lead there.
ELSEWHERE = "models.invalid"


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    with connect_proxy() as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    "name", ["grpc_proxy", "https_proxy", "http_proxy", "GRPC_PROXY", "HTTPS_PROXY", "HTTP_PROXY"]
)
def test_no_proxy_of_the_environment_is_used(
    make_model: MakeModel,
    port: int,
    proxy: ConnectProxy,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setenv(name, f"http://{LOOPBACK}:{proxy.port}")
    assert make_model(port).resolve(None, timeout_s=5).version == 3
    assert proxy.asked == []


def test_no_proxy_of_the_environment_is_used_for_addresses(
    make_model: MakeModel, port: int, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRPC_ADDRESS_HTTP_PROXY", f"{LOOPBACK}:{proxy.port}")
    monkeypatch.setenv("GRPC_ADDRESS_HTTP_PROXY_ENABLED_ADDRESSES", "127.0.0.0/8")
    assert make_model(port).resolve(None, timeout_s=5).version == 3
    assert proxy.asked == []


def test_the_proxy_of_the_profile_is_used_and_resolves_the_name(
    make_model: MakeModel, port: int, proxy: ConnectProxy, serving: Serving
) -> None:
    model = make_model(
        port,
        address=f"dns:///{ELSEWHERE}:{port}",
        proxy=f"http://{LOOPBACK}:{proxy.port}",
    )
    resolved = model.resolve(None, timeout_s=5)
    batch = np.zeros((2, HEIGHT, WIDTH, 3), np.uint8)
    assert len(list(model.predictor(resolved, deadline_s=5)([batch] * 3))) == 3
    (head,) = proxy.asked
    assert head.startswith(f"CONNECT {ELSEWHERE}:{port} HTTP/1.1\r\n")
    assert len(serving.seen) == 3


def test_the_proxy_of_the_profile_is_used_whatever_the_environment_says(
    make_model: MakeModel, port: int, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", f"*,{LOOPBACK},127.0.0.0/8")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    model = make_model(port, proxy=f"http://{LOOPBACK}:{proxy.port}")
    assert model.resolve(None, timeout_s=5).version == 3
    assert len(proxy.asked) == 1


def test_user_and_password_are_shown_to_the_proxy_and_not_to_the_server(
    make_model: MakeModel, port: int, proxy: ConnectProxy, serving: Serving
) -> None:
    model = make_model(port, proxy=f"http://ann:p%40ss@{LOOPBACK}:{proxy.port}")
    resolved = model.resolve(None, timeout_s=5)
    list(model.predictor(resolved, deadline_s=5)([np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)]))
    assert "Proxy-Authorization: Basic YW5uOnBAc3M=" in proxy.asked[0]
    assert not [key for key in serving.sent_metadata[0] if "auth" in key]


@pytest.mark.parametrize("named", [True, False])
def test_tls_goes_through_the_proxy_to_the_server(
    make_model: MakeModel, serving: Serving, proxy: ConnectProxy, tmp_path: Path, named: bool
) -> None:
    """The certificate is held against the address's host, or the name that the profile gives."""
    authority = Authority(tmp_path, "ours")
    certificate, key = authority.issue("inner.example" if named else ELSEWHERE)
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    with running(serving, credentials=credentials) as port:
        settings = {
            "address": f"dns:///{ELSEWHERE}:{port}",
            "proxy": f"http://{LOOPBACK}:{proxy.port}",
        }
        tls = Tls(ca=authority.ca, server_name="inner.example" if named else None)
        assert make_model(port, tls=tls, **settings).resolve(None, timeout_s=5).version == 3
        wrong = Tls(ca=authority.ca, server_name="other.example")
        with pytest.raises(PredictorUnavailable):
            make_model(port, tls=wrong, **settings).resolve(None, timeout_s=0.5)
    assert len(proxy.asked) >= 2


@pytest.mark.parametrize("refusal", ["407 Proxy Authentication Required", "403 Forbidden"])
def test_a_proxy_that_refuses_is_named_with_its_status(
    make_model: MakeModel, port: int, proxy: ConnectProxy, refusal: str
) -> None:
    proxy.refusal = refusal
    model = make_model(port, proxy=f"http://ann:secret@{LOOPBACK}:{proxy.port}")
    with pytest.raises(PredictorUnavailable, match=f"HTTP {refusal[:3]}") as caught:
        model.resolve(None, timeout_s=0.5)
    assert "proxy that the profile of model 'colours' names" in caught.value.detail
    assert "secret" not in caught.value.detail + caught.value.context


def test_a_proxy_that_is_away_is_named(make_model: MakeModel, port: int) -> None:
    with connect_proxy() as gone:
        pass
    model = make_model(port, proxy=f"http://{LOOPBACK}:{gone.port}")
    with pytest.raises(PredictorUnavailable, match="through the proxy that its profile names"):
        model.resolve(None, timeout_s=0.5)


def test_a_check_names_the_proxy_and_hides_its_password(
    make_model: MakeModel, port: int, proxy: ConnectProxy, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = make_model(port, proxy=f"http://ann:secret@{LOOPBACK}:{proxy.port}").profile
    assert check_profiles({profile.name: profile}) == 0
    said = capsys.readouterr().out
    assert f"colours at dns:///{LOOPBACK}:{port} through http://{LOOPBACK}:{proxy.port}: ok" in said
    assert "secret" not in said
