"""The cookie of a session: below the path of the service, and nowhere else."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from web.paths import path_prefix
from web.sessions import COOKIE


class SessionCookie:
    """Sets and deletes it.

    Parameters
    ----------
    secure : bool or None
        Whether browsers send it over HTTPS only; None means where the request came by HTTPS.
    """

    def __init__(self, *, secure: bool | None) -> None:
        self._secure = secure

    def set(self, answer: Response, text: str, *, lasts_s: int) -> None:
        """Give a browser its session."""
        answer.set_cookie(COOKIE, text, max_age=lasts_s, **self._attributes())

    def delete(self, answer: Response) -> None:
        """Take it away."""
        answer.delete_cookie(COOKIE, **self._attributes())

    def _attributes(self) -> dict[str, Any]:
        return {
            "path": path_prefix() or "/",
            "secure": request.is_secure if self._secure is None else self._secure,
            "httponly": True,
            "samesite": "Strict",
        }
