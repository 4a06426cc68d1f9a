from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.integration.serving.conftest import MakeModel
from tests.integration.serving.server import LOOPBACK, Serving, running
from tests.support.authority import Authority
from worker.serving.errors import PredictorUnavailable
from worker.serving.profile import Tls

pytestmark = pytest.mark.integration

SERVER_NAME = "models.example"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


@pytest.fixture
def tls_port(authority: Authority, serving: Serving) -> Iterator[int]:
    """A server that shows a certificate and asks for none."""
    certificate, key = authority.issue(SERVER_NAME)
    pair = (key.read_bytes(), certificate.read_bytes())
    with running(serving, credentials=grpc.ssl_server_credentials([pair])) as port:
        yield port


@pytest.fixture
def mutual_tls_port(authority: Authority, serving: Serving) -> Iterator[int]:
    """A server that answers only clients with a certificate of the same authority."""
    certificate, key = authority.issue(SERVER_NAME)
    credentials = grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())],
        root_certificates=authority.ca.read_bytes(),
        require_client_auth=True,
    )
    with running(serving, credentials=credentials) as port:
        yield port


def test_a_trusted_server_is_talked_to(
    make_model: MakeModel, tls_port: int, authority: Authority
) -> None:
    tls = Tls(ca=authority.ca, server_name=SERVER_NAME)
    assert make_model(tls_port, tls=tls).resolve(None, timeout_s=5).version == 3


def test_a_server_of_another_authority_is_not_talked_to(
    make_model: MakeModel, tls_port: int, tmp_path: Path, serving: Serving
) -> None:
    stranger = Authority(tmp_path, "stranger")
    model = make_model(tls_port, tls=Tls(ca=stranger.ca, server_name=SERVER_NAME))
    with pytest.raises(PredictorUnavailable) as caught:
        model.resolve(None, timeout_s=1)
    assert LOOPBACK not in caught.value.detail


def test_a_server_with_a_certificate_for_another_name_is_not_talked_to(
    make_model: MakeModel, tls_port: int, authority: Authority
) -> None:
    model = make_model(tls_port, tls=Tls(ca=authority.ca, server_name="elsewhere.example"))
    with pytest.raises(PredictorUnavailable):
        model.resolve(None, timeout_s=1)


def test_mutual_tls_shows_our_certificate(
    make_model: MakeModel, mutual_tls_port: int, authority: Authority
) -> None:
    cert, key = authority.issue("limelight.example")
    tls = Tls(ca=authority.ca, cert=cert, key=key, server_name=SERVER_NAME)
    assert make_model(mutual_tls_port, tls=tls).resolve(None, timeout_s=5).version == 3


def test_mutual_tls_refuses_a_client_without_certificate(
    make_model: MakeModel, mutual_tls_port: int, authority: Authority
) -> None:
    model = make_model(mutual_tls_port, tls=Tls(ca=authority.ca, server_name=SERVER_NAME))
    with pytest.raises(PredictorUnavailable):
        model.resolve(None, timeout_s=1)


def test_files_that_vanished_are_told_without_their_path(
    make_model: MakeModel, tls_port: int, tmp_path: Path
) -> None:
    model = make_model(tls_port, tls=Tls(ca=tmp_path / "gone.pem"))
    with pytest.raises(PredictorUnavailable, match="TLS files of model 'colours'") as caught:
        model.resolve(None, timeout_s=1)
    assert "gone.pem" not in caught.value.detail
    assert "gone.pem" in caught.value.context
