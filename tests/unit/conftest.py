"""Unit tests run with sockets off: what would reach out fails at once, with the place shown."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _sockets_off(socket_disabled: None) -> None:
    """Replace ``socket.socket`` for each unit test (pytest-socket restores it afterwards)."""
