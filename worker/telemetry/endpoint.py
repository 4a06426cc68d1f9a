"""Where a process listens: host and port, as operators write them."""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import NamedTuple, Self

_PORTS = range(1, 65_536)


class CannotListen(Exception):
    """Nothing can be listened for at an address. The message says why and what to do."""


class Address(NamedTuple):
    """Where a process listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``host:port``.

        Raises
        ------
        ValueError
            If it is something else.
        """
        host, _, port = text.rpartition(":")
        if not host or not port.isdecimal() or int(port) not in _PORTS:
            raise ValueError("must be host:port, for instance 127.0.0.1:8000")
        return cls(host.strip("[]"), int(port))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def check(self) -> None:
        """Find out whether it can be listened at, before anything else is begun.

        Raises
        ------
        CannotListen
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(tuple(self))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    reason = "another program is listening there. Stop it or choose another port"
                else:
                    reason = f"{error.strerror or error}. Choose another address"
                raise CannotListen(f"cannot listen on {self.host}:{self.port}: {reason}") from error


def checked(text: str | None) -> str | None:
    """Let through what is an address, and None; for the settings.

    Raises
    ------
    ValueError
    """
    if text is not None:
        Address.parse(text)
    return text
