"""What a reverse proxy says of a request: who sent it, by which scheme and host, below which path.

Werkzeug's ``ProxyFix`` counts the proxies that it believes. Here they are named by their
addresses, so that a request that comes past them cannot say anything of itself.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.http import parse_list_header, parse_options_header

from worker.jobs.public_url import checked_prefix

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Headers: TypeAlias = Literal["x-forwarded", "forwarded"]


class _Told(NamedTuple):
    """What headers say, an entry for each proxy that wrote one, the nearest last."""

    addresses: Sequence[str]
    schemes: Sequence[str]
    hosts: Sequence[str]
    prefixes: Sequence[str] = ()


class Forwarding:
    """Puts what trusted proxies say in the place of what the connection shows.

    Parameters
    ----------
    app : WSGI application
    proxies : iterable of network
        Whose headers are believed. Those of everybody else count for nothing.
    headers : str
        Which of the two kinds the proxies write. One of the other kind would be a client's: proxies
        pass on what they do not know.
    prefix : str or None
        The path prefix, whatever proxies say. A path that still has it is served without.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        proxies: Iterable[IpNetwork],
        headers: Headers,
        prefix: str | None,
    ) -> None:
        self._app = app
        self._proxies = tuple(proxies)
        self._read = _read_forwarded if headers == "forwarded" else _read_x_forwarded
        self._prefix = prefix

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        peer = _address(environ.get("REMOTE_ADDR", ""))
        told = self._believe(environ) if self._trusts(peer) else ""
        _mount(environ, told if self._prefix is None else self._prefix)
        return self._app(environ, start_response)

    def _believe(self, environ: WSGIEnvironment) -> str:
        """Take over what the proxies say; the prefix is returned."""
        told = self._read(environ)
        proxies = 1
        # Each proxy adds the address that it saw: the first, from the end, that is no proxy's is
        # the client's. What stands before it was sent by the client.
        for text in reversed(told.addresses):
            address = _address(text)
            if address is None:
                break
            environ["REMOTE_ADDR"] = str(address)
            if not self._trusts(address):
                break
            proxies += 1
        if (scheme := _said(told.schemes, proxies).lower()) in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        if host := _said(told.hosts, proxies):
            environ["HTTP_HOST"] = host
        try:
            return checked_prefix(_said(told.prefixes, proxies))
        except ValueError:
            # Links could not be made with it, and may not lead to another host.
            return ""

    def _trusts(self, address: IpAddress | None) -> bool:
        return address is not None and any(address in network for network in self._proxies)


def _read_x_forwarded(environ: WSGIEnvironment) -> _Told:
    def entries(name: str) -> list[str]:
        return parse_list_header(environ.get(f"HTTP_X_FORWARDED_{name}", ""))

    return _Told(entries("FOR"), entries("PROTO"), entries("HOST"), entries("PREFIX"))


def _read_forwarded(environ: WSGIEnvironment) -> _Told:
    """Read RFC 7239, which knows no prefix."""
    elements = [
        parse_options_header(f"_;{element}")[1]
        for element in parse_list_header(environ.get("HTTP_FORWARDED", ""))
    ]
    addresses, schemes, hosts = (
        [element.get(name, "") for element in elements] for name in ("for", "proto", "host")
    )
    return _Told(addresses, schemes, hosts)


def _said(entries: Sequence[str], proxies: int) -> str:
    """Return what the outermost of the trusted proxies said; some replace the list by one entry."""
    return entries[-min(proxies, len(entries))].strip() if entries else ""


def _address(text: str) -> IpAddress | None:
    """Read an address, with or without a port: ``10.1.2.3:80``, ``[2001:db8::1]:80``."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ipaddress.ip_address(bare)
    except ValueError:
        return None
    # A socket for both families shows IPv4 as a part of IPv6.
    return getattr(found, "ipv4_mapped", None) or found


def _mount(environ: WSGIEnvironment, prefix: str) -> None:
    """Serve the application below a prefix, which a proxy has taken off the path or has not."""
    if not prefix:
        return
    environ["SCRIPT_NAME"] = prefix
    path = environ["PATH_INFO"]
    if path == prefix or path.startswith(f"{prefix}/"):
        environ["PATH_INFO"] = path.removeprefix(prefix) or "/"
