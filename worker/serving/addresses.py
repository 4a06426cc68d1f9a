"""Where a model server is, and through which proxy it is reached, as a profile writes them."""

from __future__ import annotations

import base64
import ipaddress
import re
from typing import Any, NamedTuple
from urllib.parse import unquote

from pydantic import SecretStr

from worker.serving.profile_part import ProfilePart

# The names that gRPC resolves itself. A bare host:port is taken for dns:///host:port.
_SCHEMES = ("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "xds:")
_HOST_AND_PORT = re.compile(r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}$")
_TARGET = re.compile(
    r"^(?:dns:(?://[^/]*/)?|ipv[46]:)(?P<host>\[[^\]]+\]|[^:,\[\]]+)(?::(?P<port>[0-9]+))?$"
)
_PROXY = re.compile(
    r"http://(?:(?P<credentials>[^/@:]+:[^/@]*)@)?"
    r"(?P<address>(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5})/?"
)
# What gRPC takes where an address names no port.
_DEFAULT_PORT = "443"


class Target(NamedTuple):
    """Host and port of an address that has one of each."""

    host: str
    port: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_name(self) -> bool:
        """Whether the host has to be resolved."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return True
        return False


def grpc_address(value: str) -> str:
    """Return an address as gRPC takes it.

    Raises
    ------
    ValueError
        If it is none.
    """
    if _HOST_AND_PORT.match(value):
        return f"dns:///{value}"
    if not value.startswith(_SCHEMES):
        raise ValueError(
            'an address is written "dns:///host:port" (the gRPC port of TensorFlow Serving, '
            "usually 8500), without http://"
        )
    return value


def target_of(address: str) -> Target | None:
    """Return host and port of an address; None for sockets, xDS and lists of addresses."""
    found = _TARGET.match(address)
    if found is None:
        return None
    return Target(found["host"].strip("[]"), found["port"] or _DEFAULT_PORT)


class Proxy(ProfilePart):
    """An HTTP proxy that connects us to a model server (CONNECT).

    Attributes
    ----------
    address : str
        Its host and port.
    credentials : SecretStr or None
        User and password, with a colon between them.
    """

    address: str
    credentials: SecretStr | None = None

    def __str__(self) -> str:
        return f"http://{self.address}"

    @property
    def authorization(self) -> str | None:
        """Value of the header ``Proxy-Authorization`` (RFC 7617), in the clear."""
        if self.credentials is None:
            return None
        return f"Basic {base64.b64encode(self.credentials.get_secret_value().encode()).decode()}"


def proxy_of(value: Any) -> Any:
    """Return the proxy that a URL names.

    Raises
    ------
    ValueError
        If it is no URL of a proxy. The text does not hold it: there may be a password in it.
    """
    if value is None or isinstance(value, Proxy):
        return value
    found = _PROXY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(
            'a proxy is written "http://host:port" or "http://user:password@host:port", with '
            "special characters in user and password percent-encoded"
        )
    credentials = found["credentials"]
    return Proxy(
        address=found["address"],
        credentials=None if credentials is None else SecretStr(unquote(credentials)),
    )
