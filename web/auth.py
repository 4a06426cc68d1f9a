"""Who may call which route. A route says what it needs; one that says nothing is closed to all."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from flask import Flask, current_app, g, request

from web.errors import Forbidden, Unauthorized
from web.keyring import KeyRing
from web.principal import ANONYMOUS, Principal, Scope
from worker.jobs.errors import UnknownJob

View = Callable[..., Any]


class Guarded:
    """A view and the scope that it needs; None for one that is open to everybody."""

    def __init__(self, view: View, scope: Scope | None) -> None:
        self.view = view
        self.scope = scope
        # Flask names the endpoint after the view.
        functools.update_wrapper(self, view)

    def __call__(self, **path: Any) -> Any:
        """Serve the request; ``Doorkeeper`` has let it in."""
        return self.view(**path)


def needs(scope: Scope) -> Callable[[View], Guarded]:
    """Let in who has this scope. Stands between the route and the view."""
    return lambda view: Guarded(view, scope)


def open_to_all(view: View) -> Guarded:
    """Let in everybody. The view has no principal."""
    return Guarded(view, None)


class Doorkeeper:
    """Finds out who makes a request before its view runs, and turns away who may not.

    Parameters
    ----------
    ring : KeyRing
    anonymous : bool
        Whether the service may be used without a key as long as there are none at all.
    """

    def __init__(self, ring: KeyRing, *, anonymous: bool) -> None:
        self._ring = ring
        self._anonymous = anonymous

    def attend(self, app: Flask) -> None:
        """Stand at the door of this application, before anything else that looks at requests."""
        app.before_request(self._admit)

    def _admit(self) -> None:
        if request.endpoint is None:
            return  # No such path or method: there is nothing to protect.
        view = current_app.view_functions[request.endpoint]
        if not isinstance(view, Guarded):
            raise Forbidden("Nobody may use this path.")
        if view.scope is None:
            return
        g.principal = who = self._identify()
        if view.scope not in who.scopes:
            raise Forbidden(f"This needs a key with the scope '{view.scope}'.")
        if who.only_job is not None:
            _stay_at(who.only_job)

    def _identify(self) -> Principal:
        who = self._by_header()
        if who is None and self._anonymous and not self._ring.configured():
            return ANONYMOUS
        if who is None:
            raise Unauthorized
        return who

    def _by_header(self) -> Principal | None:
        """Return the holder of the key in the header; None if there is no header."""
        text = request.headers.get("Authorization")
        if text is None:
            return None
        scheme, _, key = text.partition(" ")
        who = self._ring.holder_of(key.strip())
        if who is None or scheme.lower() != "bearer":
            raise Unauthorized
        return who


def _stay_at(job_id: str) -> None:
    """Keep the bearer of a share link at its job: there are no others, as far as it can see."""
    asked = (request.view_args or {}).get("job_id")
    if asked is None:
        raise Forbidden("A share link shows one job and nothing else.")
    if asked != job_id:
        raise UnknownJob
