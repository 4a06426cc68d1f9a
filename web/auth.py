"""What a route needs of who calls it. A route that says nothing is closed to everybody."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from web.principal import Scope

View = Callable[..., Any]


class Guarded:
    """A view and what it needs; ``web.doorkeeper`` sees to that before the view runs.

    Attributes
    ----------
    view : callable
    is_open : bool
        Whether everybody may call it. Such a view has no principal.
    scope : str or None
        The scope that a key must have; None if any will do.
    shared : bool
        Whether a share link of the job in the path is enough.
    is_page : bool
        Whether it answers people: errors are told them on a page, and forms carry the CSRF token.
        It is no part of the API.
    """

    def __init__(
        self, view: View, *, is_open: bool = False, scope: Scope | None = None, shared: bool = False
    ) -> None:
        self.view = view
        self.is_open = is_open
        self.scope = scope
        self.shared = shared
        self.is_page = False
        # Flask names the endpoint after the view.
        functools.update_wrapper(self, view)

    def __call__(self, **path: Any) -> Any:
        """Serve the request."""
        return self.view(**path)


def needs(scope: Scope, *, shared: bool = False) -> Callable[[View], Guarded]:
    """Let in who has this scope. Stands between the route and the view.

    Parameters
    ----------
    scope : str
    shared : bool
        Whether who follows a share link may see this of its job as well.
    """
    return lambda view: Guarded(view, scope=scope, shared=shared)


def page(guarded: Guarded) -> Guarded:
    """Mark a view as one for people. Stands between the route and what the view needs."""
    guarded.is_page = True
    return guarded


def needs_any_key(view: View) -> Guarded:
    """Let in whoever has a good key, with whatever scopes."""
    return Guarded(view)


def open_to_all(view: View) -> Guarded:
    """Let in everybody. The view has no principal."""
    return Guarded(view, is_open=True)
