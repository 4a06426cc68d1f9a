"""Which hosts are answered for: a name that somebody else gave our address is none of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from flask import Flask, request

from web.errors import UnknownHost
from worker.jobs.host_names import canonical_host

_WITH_PORT = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(:(?P<port>[0-9]{0,5}))?")
# Probes of orchestrators and load balancers ask by address, and learn nothing that is secret.
_FOR_ANY_HOST = "health"


class TrustedHosts:
    """The hosts that are answered for. Others may be names that somebody else gave our address.

    Werkzeug's own check takes names as they are written, knows no IPv6, and has no exceptions.

    Parameters
    ----------
    names : iterable of str
        As ``checked_hosts`` returns them.
    """

    def __init__(self, names: Iterable[str]) -> None:
        known = tuple(names)
        self._exact = frozenset(name.removeprefix(".") for name in known)
        self._suffixes = tuple(name for name in known if name.startswith("."))

    def attend(self, app: Flask) -> None:
        """Refuse this application's requests for other hosts."""
        app.before_request(self._check)

    def include(self, header: str) -> bool:
        """Whether a Host header names one of them, at whatever port."""
        parts = _WITH_PORT.fullmatch(header)
        if parts is None or int(parts["port"] or 0) not in range(65_536):
            return False
        try:
            host = canonical_host(parts["host"])
        except ValueError:
            return False
        return host in self._exact or host.endswith(self._suffixes)

    def _check(self) -> None:
        if request.blueprint == _FOR_ANY_HOST:
            return
        if not self.include(request.environ.get("HTTP_HOST") or _own_address()):
            raise UnknownHost


def _own_address() -> str:
    """Return the address at which a request came in that names no host, as by HTTP/1.0."""
    name: str = request.environ["SERVER_NAME"]
    return f"[{name}]" if ":" in name else name
