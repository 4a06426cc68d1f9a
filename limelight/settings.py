"""Where the service is, with which key to ask it, and what a proxy before it wants to see."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

import httpx

from limelight.errors import BadSettings

URL_VARIABLE = "LIMELIGHT_URL"
KEY_VARIABLE = "LIMELIGHT_API_KEY"
HEADERS_VARIABLE = "LIMELIGHT_HEADERS"
WITH_CREDENTIALS = f"{URL_VARIABLE}=https://user:password@host"
DEFAULT_URL = "http://127.0.0.1:8000"
# Where the key goes if Authorization is a proxy's.
KEY_HEADER = "Limelight-Api-Key"
_AUTHORIZATION = "Authorization"
# They follow from what is sent.
_OURS = frozenset({"content-type", "content-length", "transfer-encoding", "connection"})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?")

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Address, API key and headers, checked. What may be secret is never shown.

    Attributes
    ----------
    url : str
        Base address; a path in it is put before every path of the API. Without credentials.
    api_key : str or None
    more_headers : tuple of (str, str)
        Headers that a proxy wants to see, among them ``Authorization`` for its Basic credentials.
    """

    url: str
    api_key: str | None = field(repr=False)
    more_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Headers of every call."""
        given = {name.lower() for name, _ in self.more_headers}
        own = {"User-Agent": "limelight-client", "Accept": "application/json, */*;q=0.5"}
        if self.api_key is not None and _AUTHORIZATION.lower() in given:
            own[KEY_HEADER] = self.api_key
        elif self.api_key is not None:
            own[_AUTHORIZATION] = f"Bearer {self.api_key}"
        kept = [(name, text) for name, text in own.items() if name.lower() not in given]
        return [*kept, *self.more_headers]


def settings(
    url: str | None,
    api_key: str | None,
    *,
    headers: Headers | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Find settings in the arguments, else the environment, else the service on this machine.

    What is empty or blank is not set.

    Parameters
    ----------
    url : str or None
        May hold the Basic credentials of a proxy: ``https://user:password@host``.
    api_key : str or None
    headers : mapping or sequence of pairs, optional
        Beside those of the environment; of the same name they count in their place.
    environment : mapping, optional

    Raises
    ------
    BadSettings
        If the address, the key or a header cannot be one. No value is told.
    """
    variables = os.environ if environment is None else environment
    address = _filled(url) or _filled(variables.get(URL_VARIABLE)) or DEFAULT_URL
    key = _filled(api_key) or _filled(variables.get(KEY_VARIABLE))
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        raise BadSettings(f"The API key ({KEY_VARIABLE}) holds characters that no key has.")
    parsed = _address(address)
    more = _headers(headers, variables.get(HEADERS_VARIABLE, ""))
    if parsed.userinfo:
        if any(name.lower() == _AUTHORIZATION.lower() for name, _ in more):
            raise BadSettings(
                f"The address of the service ({URL_VARIABLE}) holds credentials and a header says "
                f"{_AUTHORIZATION} as well: give one of them."
            )
        more.append((_AUTHORIZATION, _basic(parsed)))
    if key is not None and any(name.lower() == KEY_HEADER.lower() for name, _ in more):
        raise BadSettings(f"The API key is given twice, also by the header {KEY_HEADER}.")
    bare = parsed.copy_with(username=None, password=None)
    return Settings(url=str(bare), api_key=key, more_headers=tuple(more))


def _filled(text: str | None) -> str | None:
    return text if text and text.strip() else None


def read_header(line: str) -> tuple[str, str]:
    """Split ``Name: value``.

    Raises
    ------
    BadSettings
        If it is not that. The value may be secret, and is not told.
    """
    name, colon, text = line.partition(":")
    name, text = name.strip(), text.strip()
    if not colon or not _NAME.fullmatch(name):
        raise BadSettings(
            f"A header is given as 'Name: value', in {HEADERS_VARIABLE} each on a line of its own."
        )
    if not _VALUE.fullmatch(text):
        raise BadSettings(f"The header {name} has no value, or one that is not printable ASCII.")
    if name.lower() in _OURS:
        raise BadSettings(f"The header {name} follows from what is sent and cannot be given.")
    return name, text


def _headers(given: Headers | None, lines: str) -> list[tuple[str, str]]:
    """Return the headers of the environment, and those that are given, which count before them."""
    pairs = given.items() if isinstance(given, Mapping) else given or ()
    said = [read_header(f"{name}:{text}") for name, text in pairs]
    names = {name.lower() for name, _ in said}
    known = [read_header(line) for line in lines.splitlines() if line.strip()]
    return [*(pair for pair in known if pair[0].lower() not in names), *said]


def _address(address: str) -> httpx.URL:
    # What stands before an @ is secret, and a part of it is what cannot be read.
    is_secret = "@" in address
    shown = f"…@{address.rpartition('@')[2]}"[:200] if is_secret else address[:200]
    try:
        parsed = httpx.URL(address)
    except httpx.InvalidURL as error:
        why = "write special characters of the password as %XX" if is_secret else str(error)
        # The cause would show it in a traceback.
        raise BadSettings(f"{shown!r} is not an address: {why}.") from (
            None if is_secret else error
        )
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise BadSettings(f"{shown!r} is not an address such as {DEFAULT_URL}.")
    if parsed.query or parsed.fragment:
        raise BadSettings(f"The address of the service ({URL_VARIABLE}) is scheme, host and path.")
    return parsed


def _basic(parsed: httpx.URL) -> str:
    name, colon, password = parsed.userinfo.decode().partition(":")
    if not colon:
        raise BadSettings(
            f"The address of the service ({URL_VARIABLE}) holds a user without a password: write "
            f"{WITH_CREDENTIALS}, or user: for an empty one."
        )
    text = f"{unquote(name)}:{unquote(password)}"
    return f"Basic {base64.b64encode(text.encode()).decode()}"
