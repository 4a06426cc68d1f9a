"""Signing in: a key exchanged for a cookie, because pictures and event streams send no headers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from web.keyring import KeyRing
from web.principal import Principal
from web.tickets import Tickets

COOKIE = "limelight_session"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """Somebody who is signed in.

    Attributes
    ----------
    id : str
    principal : Principal
    csrf_token : str
        What every request that changes something must repeat in a header.
    expires_at : float
        Unix seconds.
    """

    id: str
    principal: Principal
    csrf_token: str
    expires_at: float


class Sessions:
    """Sessions in signed cookies. What is kept of them in Redis is only that one was ended.

    Each is as good as the key that it was opened with: it ends when that is revoked or expires.

    Parameters
    ----------
    tickets : Tickets
    ring : KeyRing
    lasts_s : int
    wall_clock : callable
        Unix seconds.
    """

    def __init__(
        self,
        tickets: Tickets,
        ring: KeyRing,
        *,
        lasts_s: int,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._tickets = tickets
        self._ring = ring
        self.lasts_s = lasts_s
        self._wall_clock = wall_clock

    def open(self, principal: Principal) -> tuple[str, Session]:
        """Open a session for the holder of a key; the text is the cookie's value."""
        session = Session(
            id=secrets.token_hex(16),
            principal=principal,
            csrf_token=secrets.token_urlsafe(32),
            expires_at=self._wall_clock() + self.lasts_s,
        )
        text = self._tickets.sign(
            [session.id, principal.key_id, session.csrf_token, session.expires_at]
        )
        return text, session

    def find(self, text: str | None) -> Session | None:
        """Return the session of a cookie; None if there is none that is still good."""
        document = None if text is None else self._tickets.read(text)
        if document is None:
            return None
        session_id, key_id, csrf_token, expires_at = document
        if self._wall_clock() >= expires_at:
            return None
        principal = self._ring.holder_in_session(session_id, key_id=key_id)
        if principal is None:
            return None
        return Session(
            id=session_id, principal=principal, csrf_token=csrf_token, expires_at=expires_at
        )

    def end(self, session: Session) -> None:
        """Sign out: a copy of the cookie is worth nothing any more."""
        self._ring.end_session(session.id, lasts_s=session.expires_at - self._wall_clock())
