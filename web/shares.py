"""Share links: one job to look at, for a time, without a key."""

from __future__ import annotations

import time
from collections.abc import Callable

from web.keyring import KeyRing
from web.principal import Principal
from web.tickets import Tickets

PARAMETER = "share"


class Shares:
    """Makes share links and finds out whom they speak for. They are signed, not stored.

    A link is as good as the key that it was made with: revoking that ends its links. One that was
    made while there were no keys ends with the first key.

    Parameters
    ----------
    tickets : Tickets
    ring : KeyRing
    wall_clock : callable
        Unix seconds.
    """

    def __init__(
        self, tickets: Tickets, ring: KeyRing, *, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._tickets = tickets
        self._ring = ring
        self._wall_clock = wall_clock

    def make(self, principal: Principal, job_id: str, *, expires_in_s: float) -> tuple[str, float]:
        """Return the token of a link to a job, and when it expires in Unix seconds."""
        expires_at = self._wall_clock() + expires_in_s
        token = self._tickets.sign([principal.tenant, job_id, expires_at, principal.key_id])
        return token, expires_at

    def holder_of(self, token: str) -> Principal | None:
        """Return whom a token speaks for; None if it is not good."""
        document = self._tickets.read(token)
        if document is None:
            return None
        tenant, job_id, expires_at, key_id = document
        if self._wall_clock() >= expires_at or not self._stands(key_id):
            return None
        return Principal(tenant=tenant, scopes=frozenset({"read"}), key_id=key_id, only_job=job_id)

    def _stands(self, key_id: str | None) -> bool:
        if key_id is None:
            return not self._ring.configured()
        return self._ring.holder_by_id(key_id) is not None
