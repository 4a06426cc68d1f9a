"""Where a webhook may go: checks of its URL, and of the addresses that its host name resolves to.

Nothing here resolves or connects. The URL is checked when a job is submitted and again at each
try; the addresses are checked at each try, and the sender connects to exactly those. The front end
holds the URLs of images to the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from worker.jobs.host_names import canonical_host

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL = 2048
MAX_HOST = 253
DEFAULT_PORT = {"https": 443, "http": 80}
USUAL_PORTS = frozenset({80, 443, 8080, 8443})

# The characters of RFC 3986 without "#": a fragment is never sent. Neither spaces nor control
# characters nor backslashes are among them, over which parsers disagree.
_URL = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+\Z")
_PARTS = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?]*)(?P<target>[/?].*)?\Z"
)
_HOST_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?\Z")
# Letters, digits, hyphens; and the underscore, which names of containers have.
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\Z")
# What a resolver may read as a number: 2130706433, 0x7f000001, 127.1, 0177.0.0.1.
_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)\Z")
# Names that never lead out of a network (RFC 6761, 6762, 8375, 9476, and custom).
_INTERNAL = re.compile(
    r"(.*\.)?(localhost|localdomain|local|internal|intranet|private|corp|home|lan|home\.arpa)\Z"
)

# IPv4 of special purpose (IANA registry, RFC 6890), and one cloud's metadata in public space.
_REFUSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32",
        "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24",
        "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
# Of IPv6 only this block is handed out for the public net. Outside it lie loopback, link-local,
# site-local, unique local, multicast, and the mapped, compatible, translated and NAT64 forms of
# IPv4, whichever address hides in them.
_PUBLIC_V6 = IPv6Network("2000::/3")
# Within it: protocol assignments with Teredo and ORCHID, documentation, 6to4, AS112.
_REFUSED_V6 = tuple(
    IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
# The middle of an ISATAP address (RFC 5214), whose last 32 bits are an IPv4 address.
_ISATAP, _ISATAP_MASK = 0x0000_5EFE, 0xFDFF_FFFF


class BadWebhookUrl(ValueError):
    """A webhook cannot have this URL.

    Attributes
    ----------
    reason : str
        A clause that goes on from the name of the field: "must begin with https://".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AddressRefused(Exception):
    """The host has an address to which nothing may be sent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What the operator allows beyond public addresses over https.

    Attributes
    ----------
    allow_http : bool
    hosts : frozenset of str
        Names or addresses, in small letters; whatever they resolve to, at any port, is allowed.
    networks : tuple of networks
        Addresses in them are allowed.
    ports : frozenset of int
        Ports at which hosts that are not named may be called.
    """

    allow_http: bool = False
    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    ports: frozenset[int] = USUAL_PORTS

    def allowing(self, places: Iterable[str]) -> Policy:
        """Return this policy with further hosts and networks named, for instance a tenant's.

        Raises
        ------
        ValueError
            If one with a slash is no network, or another no host.
        """
        named = set(places)
        networks = {place for place in named if "/" in place}
        return replace(
            self,
            hosts=self.hosts | {_named_host(place) for place in named - networks},
            networks=(*self.networks, *(parse_network(place) for place in sorted(networks))),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A URL that was checked, in parts. An IPv6 host is without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as in the Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORT[self.scheme] else f"{host}:{self.port}"


def check_url(url: str, policy: Policy) -> Target:
    """Check the URL of a webhook as far as that goes without resolving its host.

    Raises
    ------
    BadWebhookUrl
    """
    if not 0 < len(url) <= MAX_URL:
        raise BadWebhookUrl(f"must have between 1 and {MAX_URL} characters")
    if not _URL.match(url):
        raise BadWebhookUrl("must be an ASCII URL without spaces, backslashes or a fragment")
    parts = _PARTS.match(url)
    if parts is None:
        raise BadWebhookUrl("must be an absolute URL such as https://example.org/path")
    scheme = _check_scheme(parts["scheme"].lower(), policy)
    if "@" in parts["authority"]:
        raise BadWebhookUrl("must not carry a user name or a password")
    authority = _HOST_PORT.match(parts["authority"].lower())
    if authority is None:
        raise BadWebhookUrl("must name a host, and after a colon at most a port")
    port = int(authority["port"] or DEFAULT_PORT[scheme])
    host = _check_host(authority["host"], port, policy)
    path = parts["target"] or "/"
    return Target(scheme=scheme, host=host, port=port, path=path if path[0] == "/" else f"/{path}")


def check_addresses(
    addresses: Sequence[str], target: Target, policy: Policy
) -> tuple[Address, ...]:
    """Check all addresses that a host name resolved to; the result is what to connect to.

    One that is refused refuses all: a name that stands for both an internal and a public address
    was not made for honest use.

    Raises
    ------
    AddressRefused
        The text says why, without the address: a client must not read a network's map from it.
    """
    if not addresses:
        raise AddressRefused("The host has no address.")
    # A scope (fe80::1%eth0) belongs to addresses that are refused anyway, and hides nothing.
    checked = tuple(ip_address(address.partition("%")[0]) for address in addresses)
    if target.host not in policy.hosts:
        for address in checked:
            reason = _why_refused(address, policy)
            if reason is not None:
                raise AddressRefused(f"The host resolves to {reason}.")
    return checked


def host_of(url: str) -> str:
    """Return the host of a URL that was checked once, even if it would not be allowed any more."""
    parts = _PARTS.match(url)
    authority = _HOST_PORT.match(parts["authority"].lower()) if parts else None
    return authority["host"] if authority else url


def parse_network(text: str) -> Network:
    """Read ``10.1.0.0/16`` or a single address.

    Raises
    ------
    ValueError
    """
    return ip_network(text, strict=True)


def _named_host(place: str) -> str:
    try:
        return canonical_host(place)
    except ValueError as error:
        raise ValueError(f"{place[:80]!r} is no host name or address, or has a port") from error


def _check_scheme(scheme: str, policy: Policy) -> str:
    if scheme == "https" or (scheme == "http" and policy.allow_http):
        return scheme
    raise BadWebhookUrl(
        "must begin with https:// or http://" if policy.allow_http else "must begin with https://"
    )


def _check_host(host: str, port: int, policy: Policy) -> str:
    """Return the host in the form in which it is compared and resolved."""
    if not host:
        raise BadWebhookUrl("must name a host")
    literal = _literal(host)
    name = host if literal is None else str(literal)
    if name in policy.hosts:
        return name
    if literal is not None:
        reason = _why_refused(literal, policy)
        if reason is not None:
            raise BadWebhookUrl(f"must not lead to {reason}")
    elif len(name) > MAX_HOST or not _NAME.match(name):
        raise BadWebhookUrl("must name a host by letters, digits, hyphens and dots")
    elif "." not in name or _INTERNAL.match(name):
        raise BadWebhookUrl("must name a host of the public net, not an internal one")
    if port not in policy.ports and not _is_listed(literal, policy):
        shown = ", ".join(str(usual) for usual in sorted(policy.ports))
        raise BadWebhookUrl(f"must use one of the ports {shown}")
    return name


def _literal(host: str) -> Address | None:
    """Return the address that a host is, None if it is a name."""
    try:
        if host.startswith("["):
            return IPv6Address(host.strip("[]"))
        if _NUMBER.match(host):
            return IPv4Address(host)
    except ValueError as error:
        raise BadWebhookUrl("must write an address in its usual form, such as 192.0.2.1") from error
    return None


def _is_listed(address: Address | None, policy: Policy) -> bool:
    return address is not None and any(address in network for network in policy.networks)


def _why_refused(address: Address, policy: Policy) -> str | None:
    """Say what is wrong with an address; None if it may be called."""
    if _is_listed(address, policy):
        return None
    if isinstance(address, IPv4Address):
        refused = any(address in network for network in _REFUSED_V4)
    else:
        refused = (
            address not in _PUBLIC_V6
            or any(address in network for network in _REFUSED_V6)
            or (int(address) >> 32) & _ISATAP_MASK == _ISATAP
        )
    # The standard library's register may know blocks that were set aside since.
    if refused or not address.is_global:
        return "an internal address or one of special purpose"
    return None
