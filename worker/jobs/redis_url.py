"""Where Redis is, read from one URL, for the store, the queue and the rate limits alike.

    redis://[user:password@]host[:port][/database]
    rediss://…                                      the same over TLS
    unix://[user:password@]/path/to/socket[?db=…]
    redis+sentinel://[user:password@]host[:port][,host[:port]…]/master[/database]
    rediss+sentinel://…                             the same over TLS, the sentinels' too

redis-py and kombu each know some of these, in spellings of their own; here they mean one thing.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
REDIS_PORT, SENTINEL_PORT = 6379, 26379

_CREDENTIALS = frozenset({"username", "password", "db"})
_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_TLS = frozenset({*_TLS_FILES, "ssl_check_hostname"})
_SENTINEL = frozenset({"sentinel_username", "sentinel_password"})


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisUrl:
    """The parts of the URL.

    Attributes
    ----------
    hosts : tuple of (str, int)
        Redis, or the sentinels; none with a socket.
    socket : str or None
    master : str or None
        The name under which the sentinels know Redis.
    username, password : str or None
        Of Redis.
    sentinel_username, sentinel_password : str or None
        Of the sentinels, where they want any.
    tls : mapping or None
        Arguments of redis-py's TLS connections; None without TLS.
    """

    hosts: tuple[tuple[str, int], ...] = ()
    socket: str | None = None
    master: str | None = None
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    tls: Mapping[str, Any] | None = None

    @property
    def encryption(self) -> dict[str, Any]:
        """Arguments of redis-py for TLS."""
        return {} if self.tls is None else {"ssl": True, **self.tls}

    @property
    def shown(self) -> str:
        """The address as it may be logged: without user and password."""
        if self.socket is not None:
            return f"unix://{self.socket}"
        hosts = ",".join(f"{host}:{port}" for host, port in self.hosts)
        scheme = "redis" if self.tls is None else "rediss"
        if self.master is not None:
            return f"{scheme}+sentinel://{hosts}/{self.master}/{self.db}"
        return f"{scheme}://{hosts}/{self.db}"

    @property
    def broker_url(self) -> str:
        """The address as kombu has it; who we are, TLS and the master's name are said beside it."""
        if self.socket is not None:
            return f"redis+socket://{self.socket}?virtual_host={self.db}"
        scheme = "redis" if self.master is None else "sentinel"
        return ";".join(f"{scheme}://{_netloc(*host)}/{self.db}" for host in self.hosts)


def parse(text: str) -> RedisUrl:
    """Read a URL.

    Raises
    ------
    ValueError
        If it is none of ours. What it says never holds the password.
    """
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise ValueError("must be a URL such as redis://127.0.0.1:6379/0") from error
    if parts.scheme not in SCHEMES or not text.startswith(f"{parts.scheme}://"):
        raise ValueError(f"must begin with one of {', '.join(f'{one}://' for one in SCHEMES)}")
    more = _query(parts)
    login, _, place = parts.netloc.rpartition("@")
    username, _, password = login.partition(":")
    found: dict[str, Any] = {
        "username": unquote(username) or more.get("username"),
        "password": unquote(password) or more.get("password"),
        "db": _database(more.get("db", "")),
        "tls": _tls(more) if parts.scheme.startswith("rediss") else None,
    }
    if parts.scheme == "unix":
        if not parts.path.strip("/"):
            raise ValueError("must name the socket: unix:///path/to/socket")
        return RedisUrl(**found, socket=unquote(parts.path))
    steps = [unquote(step) for step in parts.path.split("/") if step]
    if parts.scheme.endswith("+sentinel"):
        found |= {name: more.get(name) for name in _SENTINEL}
        if not steps:
            raise ValueError("must name the master: redis+sentinel://host:26379/mymaster")
        found["master"], *steps = steps
    if len(steps) > 1:
        raise ValueError("must end with the number of a database, such as /0")
    if steps:
        found["db"] = _database(steps[0])
    usual = REDIS_PORT if found.get("master") is None else SENTINEL_PORT
    hosts = tuple(_host(one, usual) for one in place.split(","))
    if len(hosts) > 1 and found.get("master") is None:
        raise ValueError("must name one host; several are for redis+sentinel://")
    return RedisUrl(**found, hosts=hosts)


def _query(parts: SplitResult) -> dict[str, str]:
    more = dict(parse_qsl(parts.query))
    known = set(_CREDENTIALS)
    if parts.scheme.startswith("rediss"):
        known |= _TLS
    if parts.scheme.endswith("+sentinel"):
        known |= _SENTINEL
    # The name is told, not the value, which may be a secret.
    unknown = sorted(set(more) - known)
    if unknown:
        raise ValueError(
            f"{parts.scheme}:// does not know {unknown[0]}; it knows {', '.join(sorted(known))}"
        )
    return more


def _database(text: str) -> int:
    if text and not text.isdecimal():
        raise ValueError("must end with the number of a database, such as /0")
    return int(text or 0)


def _host(text: str, usual_port: int) -> tuple[str, int]:
    name, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        name, port = text, str(usual_port)
    name = unquote(name).strip("[]")
    if not name:
        raise ValueError("must name a host")
    if not port.isdecimal() or not 0 < int(port) < 65_536:  # noqa: PLR2004
        raise ValueError(f"the port of {name} must be a number from 1 to 65535")
    return name, int(port)


def _netloc(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tls(more: Mapping[str, str]) -> dict[str, Any]:
    """Return arguments of redis-py. Whoever answers always has to prove who it is."""
    _check_files(more[name] for name in _TLS_FILES if name in more)
    named = {name: more[name] for name in _TLS_FILES if name in more}
    check = more.get("ssl_check_hostname", "true").lower()
    if check not in ("true", "false"):
        raise ValueError("ssl_check_hostname must be true or false")
    return {
        **named,
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
        "ssl_check_hostname": check == "true",
    }


def _check_files(paths: Iterable[str]) -> None:
    for path in paths:
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from error
