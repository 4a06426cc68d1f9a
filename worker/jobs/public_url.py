"""The address at which people reach the service, where a proxy stands before it."""

from __future__ import annotations

import re
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from worker.jobs.environment import EnvironmentSettings
from worker.jobs.host_names import Origin

# What needs no escape in an address or in a cookie's path.
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
# The front end's own paths: with a prefix that begins like one of them, nobody could tell whether
# a proxy took it off.
OWN = frozenset(
    {
        "assets", "compare", "docs", "explanations", "metrics", "openapi.json", "problems",
        "samples", "session", "sign-in", "sign-out", "v1", "v2",
    }
)  # fmt: skip


class PublicUrl(NamedTuple):
    """An origin, and the path that is put before all of ours: empty, or ``/explain``."""

    origin: Origin
    prefix: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``https://host/prefix``.

        Raises
        ------
        ValueError
            Saying what it must be.
        """
        try:
            url = urlsplit(text)
            if url.query or url.fragment:
                raise ValueError("has a query or a fragment")
            return cls(Origin.of(url), checked_prefix(url.path))
        except ValueError as error:
            raise ValueError(
                "must be scheme, host and perhaps a path, such as https://example.org/explain; the "
                "path may have letters, digits and -._~, and must not begin like a path of the "
                f"service itself ({', '.join(f'/{name}' for name in sorted(OWN))})"
            ) from error


def checked_prefix(text: str) -> str:
    """Return a path prefix without slash at its end.

    Raises
    ------
    ValueError
        If it cannot be one.
    """
    prefix = text.rstrip("/")
    if not prefix:
        return ""
    parts = prefix.split("/")
    if not _PREFIX.fullmatch(prefix) or {".", ".."}.intersection(parts) or parts[1] in OWN:
        raise ValueError("is no path prefix")
    return prefix


class PublicSettings(EnvironmentSettings):
    """What every process reads that tells somebody a path of the service."""

    public_url: str | None = Field(
        None,
        description="The address at which people reach the service through a proxy, with the path "
        "that is put before all of its own, if any.",
    )

    @field_validator("public_url")
    @classmethod
    def _is_public(cls, value: str | None) -> str | None:
        if value is not None:
            PublicUrl.parse(value)
        return value

    @property
    def public(self) -> PublicUrl | None:
        """``public_url`` in its parts."""
        return None if self.public_url is None else PublicUrl.parse(self.public_url)

    @property
    def path_prefix(self) -> str:
        """What stands before all paths, as far as the settings know."""
        return "" if self.public is None else self.public.prefix
