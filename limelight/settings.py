"""Where the service is and with which key to ask it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from limelight.errors import BadSettings

URL_VARIABLE = "LIMELIGHT_URL"
KEY_VARIABLE = "LIMELIGHT_API_KEY"
DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Address and API key, checked.

    Attributes
    ----------
    url : str
        Base address; a path in it is put before every path of the API.
    api_key : str or None
        Never shown.
    """

    url: str
    api_key: str | None = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every call."""
        headers = {"User-Agent": "limelight-client", "Accept": "application/json, */*;q=0.5"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        return headers


def settings(
    url: str | None, api_key: str | None, *, environment: Mapping[str, str] | None = None
) -> Settings:
    """Find settings in the arguments, else the environment, else the service on this machine.

    What is empty or blank is not set.

    Raises
    ------
    BadSettings
        If the address or the key cannot be one.
    """
    variables = os.environ if environment is None else environment
    address = _filled(url) or _filled(variables.get(URL_VARIABLE)) or DEFAULT_URL
    key = _filled(api_key) or _filled(variables.get(KEY_VARIABLE))
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        raise BadSettings(f"The API key ({KEY_VARIABLE}) holds characters that no key has.")
    try:
        parsed = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise BadSettings(f"{address[:200]!r} is not an address: {error}.") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise BadSettings(f"{address[:200]!r} is not an address such as {DEFAULT_URL}.")
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise BadSettings(f"The address of the service ({URL_VARIABLE}) is scheme, host and path.")
    return Settings(url=str(parsed), api_key=key)


def _filled(text: str | None) -> str | None:
    return text if text and text.strip() else None
