"""Signed texts that clients carry for us: sessions in a cookie, share links in an address."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

# Nothing that we sign is longer, and no more than this is hashed for whoever sends one.
_MAX_LENGTH = 1000


class Tickets:
    """Signs and reads texts of one purpose; those of another are not good here.

    Parameters
    ----------
    secret : callable
        Gives what is signed with, the same in all processes; called when it is first needed.
    purpose : str
    """

    def __init__(self, secret: Callable[[], str], *, purpose: str) -> None:
        self._secret = secret
        self._purpose = purpose

    def sign(self, document: Any) -> str:
        """Write JSON values as a signed text that fits a cookie and an address."""
        return self._serializer.dumps(document)

    def read(self, text: str) -> Any | None:
        """Return what was signed; None if it was not signed by us for this purpose."""
        if len(text) > _MAX_LENGTH:
            return None
        try:
            return self._serializer.loads(text)
        except BadData:
            return None

    @cached_property
    def _serializer(self) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._secret(),
            salt=f"limelight.{self._purpose}",
            # The library's defaults are SHA-1 and a derivation without HMAC.
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )
