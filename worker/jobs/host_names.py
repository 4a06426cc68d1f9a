"""Host names and origins: as operators write them, and the one form in which they are compared."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple, Self
from urllib.parse import SplitResult, urlsplit

import idna

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_MAX_NAME = 253
_PORTS = {"http": 80, "https": 443}


def canonical_host(text: str) -> str:
    """Return the one form of a host name or address.

    Small letters, IDNA (UTS 46) instead of other alphabets, no dot at the end; IPv6 addresses
    shortened, without brackets.

    Raises
    ------
    ValueError
        If it is no host: it has a scheme, a port or a path, for instance.
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in bare and "%" not in bare:
        return str(ipaddress.IPv6Address(bare))
    name = text.removesuffix(".")
    if len(name) <= _MAX_NAME:
        name = name.lower() if name.isascii() else idna.encode(name, uts46=True).decode("ascii")
        if _NAME.fullmatch(name):
            return name
    raise ValueError("is no host name")


def checked_hosts(names: Iterable[str]) -> tuple[str, ...]:
    """Return host names in their one form; those that mean subdomains keep the dot before them.

    Raises
    ------
    ValueError
        Saying what a name must be: one that never matches would shut everybody out silently.
    """
    found = []
    for name in names:
        dot, bare = ("." if name.startswith(".") else ""), name.removeprefix(".")
        try:
            found.append(dot + canonical_host(bare))
        except ValueError as error:
            raise ValueError(
                "must be host names or addresses separated by commas, without scheme, port, path "
                "and *, such as explain.example.org, .example.org for its subdomains, 10.1.2.3 or "
                "[::1]"
            ) from error
    return tuple(dict.fromkeys(found))


class Origin(NamedTuple):
    """Scheme, host and port; ``str`` writes it as browsers do, without a port that is usual."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: SplitResult) -> Self:
        """Return the origin of a URL.

        Raises
        ------
        ValueError
            If it is none of http or https, or carries a user's name.
        """
        if url.scheme not in _PORTS or url.hostname is None or "@" in url.netloc:
            raise ValueError("is no address by http or https")
        return cls(url.scheme, canonical_host(url.hostname), url.port or _PORTS[url.scheme])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an origin; a slash at its end does not matter.

        Raises
        ------
        ValueError
        """
        url = urlsplit(text)
        if url.path not in ("", "/") or url.query or url.fragment:
            raise ValueError("has more than scheme, host and port")
        return cls.of(url)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"
