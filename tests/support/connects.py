"""Sees every connection that this process tries to make, by the interpreter's own audit events."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# A hook cannot be removed, so there is one, and lists that come and go.
_watchers: list[Watch] = []
_installed: set[object] = set()


class Watch:
    """What was seen: addresses that were connected to, names that the system resolved."""

    def __init__(self) -> None:
        self.connected: list[tuple[str, int]] = []
        self.resolved: list[str] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watchers:
        return
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        for watch in _watchers:
            watch.connected.append(arguments[1][:2])
    elif event == "socket.getaddrinfo":
        for watch in _watchers:
            watch.resolved.append(str(arguments[0]))


@contextmanager
def watched() -> Iterator[Watch]:
    """Watch what is connected to in this block, in any thread."""
    if _hook not in _installed:
        sys.addaudithook(_hook)
        _installed.add(_hook)
    watch = Watch()
    _watchers.append(watch)
    try:
        yield watch
    finally:
        _watchers.remove(watch)
