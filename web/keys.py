"""API keys in Redis. What is kept of a key is its SHA-256: 256 random bits need no slower hash."""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import redis

from web.principal import Principal, Scope, scopes_of
from worker.jobs.connection import store_errors
from worker.jobs.job import is_tenant

_ID_BYTES, _SECRET_BYTES = 6, 32
# \Z, because $ also matches before a newline at the end.
KEY_PREFIX = "ll_"
_TEXT = re.compile(rf"^{KEY_PREFIX}(?P<id>[0-9a-f]{{12}})_[A-Za-z0-9_-]{{43}}\Z")
# A text that is no key is looked up under an id that none has, so that it takes as long.
_NO_ID = "0" * 12
_NO_HASH = "0" * 64
_MAX_NAME = 100


class UnknownKey(Exception):
    """There is no key with this id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyInfo:
    """What is known of a key; its text is not. Times are Unix seconds.

    Attributes
    ----------
    expires_at, revoked_at : float or None
    """

    id: str
    name: str
    tenant: str
    scopes: frozenset[Scope]
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None

    def is_valid(self, now: float) -> bool:
        """Whether the key can be used."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def principal(self) -> Principal:
        """On whose behalf it is used."""
        return Principal(tenant=self.tenant, scopes=self.scopes, key_id=self.id)


class KeyStore:
    """Keys in Redis. Every method raises ``StoreUnavailable`` when Redis cannot be reached.

    A revoked or expired key stays in the list: what was once protected must not stand open because
    its last key was revoked.

    Parameters
    ----------
    client : redis.Redis
        From ``connect``: answers are bytes.
    prefix : str
        Start of every name in Redis.
    clock : callable
        Unix seconds.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        prefix: str = "limelight",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._redis = client
        self._prefix = prefix
        self._clock = clock

    def create(
        self, *, tenant: str, scopes: frozenset[Scope], expires_in_s: float | None, name: str = ""
    ) -> tuple[str, KeyInfo]:
        """Make a key.

        Returns
        -------
        text : str
            The key itself. It cannot be had again.
        info : KeyInfo

        Raises
        ------
        ValueError
            If the tenant's name is none, the time is over already, or there is no scope.
        """
        if not is_tenant(tenant):
            raise ValueError(
                f"not a tenant's name: {tenant[:80]!r} (a-z, 0-9, - and _; 63 at most)"
            )
        if not scopes:
            raise ValueError("a key without a scope opens nothing")
        if expires_in_s is not None and expires_in_s <= 0:
            raise ValueError("the key would have expired before its first use")
        now = self._clock()
        info = KeyInfo(
            id=secrets.token_hex(_ID_BYTES),
            name=name[:_MAX_NAME],
            tenant=tenant,
            scopes=scopes,
            created_at=now,
            expires_at=None if expires_in_s is None else now + expires_in_s,
        )
        text = f"{KEY_PREFIX}{info.id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        with store_errors(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(self._key(info.id), mapping=_record(info, sha256=_hash(text)))
            pipeline.sadd(self._all, info.id)
            pipeline.execute()
        return text, info

    def all(self) -> list[KeyInfo]:
        """Return all keys, the oldest first."""
        with store_errors():
            ids = sorted(cast("set[bytes]", self._redis.smembers(self._all)))
            with self._redis.pipeline(transaction=False) as pipeline:
                for key_id in ids:
                    pipeline.hgetall(self._key(key_id.decode()))
                records = pipeline.execute()
        found = [
            _info(key_id.decode(), record)
            for key_id, record in zip(ids, records, strict=True)
            if record
        ]
        return sorted(found, key=lambda info: (info.created_at, info.id))

    def revoke(self, key_id: str) -> KeyInfo:
        """End a key. One that was revoked before keeps the time of the first.

        Raises
        ------
        UnknownKey
        """
        with store_errors():
            if not self._redis.sismember(self._all, key_id):
                raise UnknownKey(f"there is no key {key_id[:40]!r}")
            self._redis.hsetnx(self._key(key_id), "revoked_at", repr(self._clock()))
        info = self.by_id(key_id)
        if info is None:
            raise UnknownKey(f"there is no key {key_id[:40]!r}")
        return info

    def any(self) -> bool:
        """Whether there is, or ever was, a key."""
        with store_errors():
            return bool(self._redis.exists(self._all))

    def verify(self, text: str) -> KeyInfo | None:
        """Return the key that a client sent, or None if it is none, wrong, revoked or expired.

        One round trip, and one comparison in constant time, whatever the text is.
        """
        match = _TEXT.match(text)
        key_id = _NO_ID if match is None else match["id"]
        record = self._read(key_id)
        expected = record.get(b"sha256", _NO_HASH.encode())
        same = hmac.compare_digest(expected, _hash(text).encode())
        if not (same and record):
            return None
        return self._valid(_info(key_id, record))

    def by_id(self, key_id: str) -> KeyInfo | None:
        """Return what is known of a key, whether or not it is valid."""
        record = self._read(key_id)
        return _info(key_id, record) if record else None

    def in_session(self, key_id: str, *, session_id: str) -> KeyInfo | None:
        """Return what is known of the key behind a session; None if the session was ended.

        One round trip, like the look-up of a key.
        """
        with store_errors(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(self._key(key_id))
            pipeline.exists(self._ended(session_id))
            record, ended = pipeline.execute()
        return _info(key_id, record) if record and not ended else None

    def end_session(self, session_id: str, *, lasts_s: float) -> None:
        """Remember that a session was ended, for as long as it would have lasted."""
        with store_errors():
            self._redis.set(self._ended(session_id), b"", ex=max(1, math.ceil(lasts_s)))

    def secret(self) -> str:
        """Return what sessions and share links are signed with; made by who asks first."""
        name = f"{self._prefix}::secret"
        with store_errors():
            # Read first: sessions are good while Redis takes no writes.
            found = cast("bytes | None", self._redis.get(name))
            if found is None:
                self._redis.set(name, secrets.token_urlsafe(_SECRET_BYTES), nx=True)
                found = cast("bytes", self._redis.get(name))
            return found.decode()

    def _valid(self, info: KeyInfo) -> KeyInfo | None:
        return info if info.is_valid(self._clock()) else None

    def _read(self, key_id: str) -> Mapping[bytes, bytes]:
        with store_errors():
            return cast("dict[bytes, bytes]", self._redis.hgetall(self._key(key_id)))

    def _key(self, key_id: str) -> str:
        return f"{self._prefix}::key:{key_id}"

    def _ended(self, session_id: str) -> str:
        return f"{self._prefix}::ended-session:{session_id}"

    @property
    def _all(self) -> str:
        return f"{self._prefix}::keys"


def _hash(text: str) -> str:
    # A header may hold what UTF-8 cannot say; such a text is no key and only has to be hashed.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _record(info: KeyInfo, *, sha256: str) -> dict[Any, Any]:
    record = {
        "sha256": sha256,
        "name": info.name,
        "tenant": info.tenant,
        "scopes": " ".join(sorted(info.scopes)),
        "created_at": repr(info.created_at),
    }
    if info.expires_at is not None:
        record["expires_at"] = repr(info.expires_at)
    return record


def _info(key_id: str, record: Mapping[bytes, bytes]) -> KeyInfo:
    def time_of(name: bytes) -> float | None:
        return float(record[name]) if name in record else None

    return KeyInfo(
        id=key_id,
        name=record[b"name"].decode(),
        tenant=record[b"tenant"].decode(),
        scopes=scopes_of(record[b"scopes"].decode().split()),
        created_at=float(record[b"created_at"]),
        expires_at=time_of(b"expires_at"),
        revoked_at=time_of(b"revoked_at"),
    )
