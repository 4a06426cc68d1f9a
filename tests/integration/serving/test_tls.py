from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.serving.conftest import MakeModel
from tests.integration.serving.server import LOOPBACK, Serving, running
from worker.serving.errors import PredictorRejected, PredictorUnavailable
from worker.serving.profile import Tls

pytestmark = pytest.mark.integration

SERVER_NAME = "models.example"


@dataclass
class Authority:
    """A certificate authority of the test's own, which writes PEM files into a directory."""

    directory: Path
    name: str

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = self._sign(self.subject, self.key, constraints)
        self.ca = self._write("ca.pem", self.certificate.public_bytes(_PEM))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Return the files of a certificate for a host name and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        certificate = self._sign(subject, key, names)
        private = key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return (
            self._write(f"{name}.pem", certificate.public_bytes(_PEM)),
            self._write(f"{name}.key", private),
        )

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .sign(self.key, hashes.SHA256())
        )

    def _write(self, name: str, data: bytes) -> Path:
        path = self.directory / f"{self.name}-{name}"
        path.write_bytes(data)
        return path


_PEM = serialization.Encoding.PEM


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
    with pytest.raises(PredictorRejected, match="TLS files of model 'colours'") as caught:
        model.resolve(None, timeout_s=1)
    assert "gone.pem" not in caught.value.detail
    assert "gone.pem" in caught.value.context
