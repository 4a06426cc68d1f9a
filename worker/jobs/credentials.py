"""User and password of Redis, which may be changed while we run."""

from __future__ import annotations

from functools import cache

import redis
import structlog

from worker.jobs.redis_url import RedisUrl, parse
from worker.jobs.settings import StoreSettings

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class UrlCredentials(redis.CredentialProvider):
    """What ``LIMELIGHT_REDIS_URL`` says of user and password, for the store and the queue alike.

    redis-py asks for each connection that it opens, and opens another one when Redis has refused
    the last. So where the URL is a file, the file is read each time: connections that are open
    stay as they are, and new ones know a new password. Only user and password are taken; another
    address takes a restart.

    Parameters
    ----------
    settings : StoreSettings
    of_sentinels : bool
        Whether the sentinels are meant, and not Redis.
    """

    def __init__(self, settings: StoreSettings, *, of_sentinels: bool = False) -> None:
        self._settings = settings
        self._of_sentinels = of_sentinels
        self._text = settings.redis_url
        self._latest = parse(settings.redis_url)
        self._shown = self._latest.shown

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """Return the password, after the user if there is one; nothing without a password."""
        self._read_again()
        return _pair(self._latest, of_sentinels=self._of_sentinels)

    def _read_again(self) -> None:
        text = self._settings.from_file("redis_url")
        # None if it is no file, or while another is put in its place.
        if text is None or text == self._text:
            return
        self._text = text
        try:
            found = parse(text)
        except ValueError as error:
            log.error("the file with the Redis URL cannot be used, the old holds", error=str(error))
            return
        self._latest = found
        if found.shown != self._shown:
            log.warning(
                "the Redis URL in its file has another address, which takes a restart",
                used=self._shown,
                found=found.shown,
            )
        log.info("the file with the Redis URL was read again")


@cache
def credentials_of(settings: StoreSettings, *, of_sentinels: bool = False) -> UrlCredentials:
    """Return the same credentials for all clients of a process, so that a change is told once."""
    return UrlCredentials(settings, of_sentinels=of_sentinels)


def _pair(url: RedisUrl, *, of_sentinels: bool) -> tuple[str] | tuple[str, str]:
    user, password = (
        (url.sentinel_username, url.sentinel_password)
        if of_sentinels
        else (url.username, url.password)
    )
    if not user and not password:
        # redis-py takes an empty tuple for no credentials; its types know only full ones.
        return ()  # type: ignore[return-value]
    return (user, password or "") if user else (password or "",)
