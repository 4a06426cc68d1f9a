"""Keys as requests need them: each looked up once, then remembered for a moment."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from time import monotonic

from web.keys import KeyInfo
from web.ports import Keys
from web.principal import Principal

# A revoked key is refused within this time, and one that is polled with costs no more than one
# look-up in it.
REMEMBERED_S = 3.0
# While there are no keys, the first one closes the service within this time.
OPEN_FOR_S = 1.0
_MOST_REMEMBERED = 1000


class KeyRing:
    """Answers who holds a key, asking the store at most every ``REMEMBERED_S`` about one.

    Only keys that were found good are remembered: a key works at once after it was made, and
    texts that are no keys take no room.

    Parameters
    ----------
    keys : Keys
    clock : callable
        Seconds that only ever increase.
    wall_clock : callable
        Unix seconds.
    """

    def __init__(
        self,
        keys: Keys,
        *,
        clock: Callable[[], float] = monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._wall_clock = wall_clock
        self._good: dict[str, tuple[float, KeyInfo]] = {}
        self._configured = False
        self._ask_again_at = float("-inf")

    def configured(self) -> bool:
        """Whether there are keys, so that nobody gets in without one.

        Once this process has seen one, it never forgets: a store that comes back empty must not
        open the service.
        """
        if not self._configured and self._clock() >= self._ask_again_at:
            self._configured = self._keys.any()
            self._ask_again_at = self._clock() + OPEN_FOR_S
        return self._configured

    def holder_of(self, text: str) -> Principal | None:
        """Return on whose behalf this key is used; None if it is not good."""
        # The digest, so that no key stays in memory.
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return self._ask(digest, lambda: self._keys.verify(text))

    def holder_by_id(self, key_id: str) -> Principal | None:
        """Return the same for the key behind a session or a share link."""
        return self._ask(f"id:{key_id}", lambda: self._keys.by_id(key_id))

    def holder_in_session(self, session_id: str, *, key_id: str) -> Principal | None:
        """Return the same for a session, unless it was ended."""
        return self._ask(
            f"session:{session_id}",
            lambda: self._keys.in_session(key_id, session_id=session_id),
        )

    def end_session(self, session_id: str, *, lasts_s: float) -> None:
        """Let a session, which would have lasted for so long, open nothing any more."""
        self._keys.end_session(session_id, lasts_s=lasts_s)
        self._good.pop(f"session:{session_id}", None)

    def _ask(self, name: str, find: Callable[[], KeyInfo | None]) -> Principal | None:
        good_until, info = self._good.get(name, (float("-inf"), None))
        if self._clock() >= good_until:
            info = find()
        if info is None or not info.is_valid(self._wall_clock()):
            self._good.pop(name, None)
            return None
        if self._clock() >= good_until:
            self._remember(name, info)
        return info.principal

    def _remember(self, name: str, info: KeyInfo) -> None:
        if len(self._good) >= _MOST_REMEMBERED:
            self._good.clear()
        self._good[name] = (self._clock() + REMEMBERED_S, info)
