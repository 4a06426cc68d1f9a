"""Secrets and certificates of a profile as their files hold them now, so that they may be rotated.

Files are read again for each call. They are small, and their time stamps tell too little: those of
two writes within a few milliseconds are the same, and tools that copy files set them back.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import grpc
import structlog
from pydantic import SecretStr

from worker.serving.errors import PredictorUnavailable
from worker.serving.profile import ModelProfile, Tls, is_metadata_value

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_T = TypeVar("_T")


class _Pem(NamedTuple):
    """Content of the files of ``tls``."""

    ca: bytes | None
    cert: bytes | None
    key: bytes | None


class Credentials:
    """What calls to one model show to its server. Not safe to use from several threads."""

    def __init__(self, profile: ModelProfile) -> None:
        self._model = profile.name
        self._metadata: dict[str, SecretStr | _Latest[str]] = {
            key: _Latest(partial(read_secret, value), model=profile.name, what=key)
            if isinstance(value, Path)
            else value
            for key, value in profile.metadata.items()
        }
        self._tls: _Latest[_Pem] | None = None
        if (tls := profile.tls) is not None:
            self._tls = _Latest(
                partial(_read_pem, tls), check=partial(_check, tls), model=profile.name, what="tls"
            )
        self._pem: _Pem | None = None
        self._for_channels: grpc.ChannelCredentials | None = None

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the profile's gRPC metadata, secrets in the clear.

        Raises
        ------
        PredictorUnavailable
            If a file was never read and cannot be.
        """
        try:
            return tuple(
                (key, value.now() if isinstance(value, _Latest) else value.get_secret_value())
                for key, value in self._metadata.items()
            )
        except (OSError, ValueError) as error:
            raise self._unusable("A metadata file", error) from error

    def for_channels(self) -> grpc.ChannelCredentials | None:
        """Return the credentials of TLS, None without. The same object while they are the same.

        Raises
        ------
        PredictorUnavailable
            If the files were never read and cannot be, or hold no certificates.
        """
        if self._tls is None:
            return None
        try:
            pem = self._tls.now()
        except (OSError, ValueError) as error:
            raise self._unusable("The TLS files", error) from error
        if pem != self._pem:
            self._pem = pem
            self._for_channels = grpc.ssl_channel_credentials(
                root_certificates=pem.ca, private_key=pem.key, certificate_chain=pem.cert
            )
        return self._for_channels

    def _unusable(self, files: str, error: Exception) -> PredictorUnavailable:
        return PredictorUnavailable(
            f"{files} of model {self._model!r} cannot be read or used; the operator must look at "
            f"its profile and the worker's log.",
            context=str(error),
        )


class _Latest(Generic[_T]):
    """The newest good content of files, which may be missing or half-written for a moment.

    Parameters
    ----------
    read : callable
        Returns the content, or raises OSError or ValueError.
    check : callable
        Raises the same where new content cannot be used.
    model, what : str
        Of which profile, and which key of it, for the log.
    """

    def __init__(
        self,
        read: Callable[[], _T],
        *,
        check: Callable[[], object] = lambda: None,
        model: str,
        what: str,
    ) -> None:
        self._read = read
        self._check = check
        self._log = log.bind(model=model, key=what)
        self._good: _T | None = None
        self._failing = False

    def now(self) -> _T:
        """Return what the files hold, or what they held when that was last good.

        Raises
        ------
        OSError, ValueError
            If they never held anything good.
        """
        try:
            content = self._read()
            if content != self._good:
                self._check()
        except (OSError, ValueError) as error:
            if self._good is None:
                raise
            if not self._failing:
                self._failing = True
                self._log.warning(
                    "credentials unreadable, the last ones are kept", error=str(error)
                )
            return self._good
        if self._failing or (self._good is not None and content != self._good):
            self._log.info("credentials read again", changed=content != self._good)
        self._failing, self._good = False, content
        return content


def read_secret(path: Path) -> str:
    """Return the value of a metadata key that a file holds, without white space around it.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is empty or cannot be the value of gRPC metadata.
    """
    value = path.read_text(encoding="utf-8").strip()
    if not value:
        raise ValueError(f"{path} is empty")
    if not is_metadata_value(value):
        raise ValueError(f"{path} holds more than printable ASCII")
    return value


def _read_pem(tls: Tls) -> _Pem:
    paths = (tls.ca, tls.cert, tls.key)
    return _Pem(*(None if path is None else path.read_bytes() for path in paths))


def _check(tls: Tls) -> None:
    """Raise OSError where the files are cut off, or certificate and key do not belong together.

    If they change between being read and this, the next call reads them again.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Which keys are strong enough is for gRPC and the server to say.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if tls.ca is not None:
        context.load_verify_locations(cafile=tls.ca)
    if tls.cert is not None:
        # Without a password: OpenSSL would ask for one at the terminal, and gRPC knows none.
        context.load_cert_chain(tls.cert, tls.key, password="")
