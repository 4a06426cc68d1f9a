"""Finds out who makes a request before its view runs, and turns away who may not."""

from __future__ import annotations

import hmac

from flask import Flask, Response, current_app, g, request

from web.auth import Guarded
from web.cors import CrossOrigin, is_preflight
from web.errors import Forbidden, Unauthorized
from web.keyring import KeyRing
from web.keys import KEY_PREFIX
from web.parsing import form_of
from web.principal import ANONYMOUS, Principal
from web.sessions import COOKIE, CSRF_FIELD, CSRF_HEADER, Session, Sessions
from web.shares import PARAMETER, Shares
from worker.jobs.errors import UnknownJob

# Of our own, so that it never means a gateway's key, as X-API-Key may.
KEY_HEADER = "Limelight-Api-Key"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Doorkeeper:
    """Lets in who shows a key, a share link or a session, in this order of precedence.

    Parameters
    ----------
    ring : KeyRing
    sessions : Sessions
    shares : Shares
    anonymous : bool
        Whether the service may be used without a key as long as there are none at all.
    cross_origin : CrossOrigin
        Which other sites' pages may then use it as well.
    """

    def __init__(
        self,
        ring: KeyRing,
        *,
        sessions: Sessions,
        shares: Shares,
        anonymous: bool,
        cross_origin: CrossOrigin,
    ) -> None:
        self._ring = ring
        self._sessions = sessions
        self._shares = shares
        self._anonymous = anonymous
        self._cross_origin = cross_origin

    def attend(self, app: Flask) -> None:
        """Stand at the door of this application, before anything else that looks at requests."""
        app.before_request(self._admit)
        app.after_request(_keep_out_of_caches)

    def _admit(self) -> None:
        if request.endpoint is None or is_preflight():
            return  # No view is run: there is nothing to protect.
        view = current_app.view_functions[request.endpoint]
        if not isinstance(view, Guarded):
            raise Forbidden("Nobody may use this path.")
        if view.is_open:
            return
        g.principal = who = self._identify()
        if view.scope is not None and view.scope not in who.scopes:
            raise Forbidden(f"This needs a key with the scope '{view.scope}'.")
        if who.only_job is not None:
            _stay_at(who.only_job, view)

    def _identify(self) -> Principal:
        who = self._by_header() or self._by_share_link() or self._by_session()
        if who is not None:
            return who
        if not self._anonymous or self._ring.configured():
            raise Unauthorized(foreign="Authorization" in request.headers)
        if not self._cross_origin.allows():
            refuse_other_sites()
        return ANONYMOUS

    def _by_header(self) -> Principal | None:
        """Return the holder of the key in a header; None if there is none."""
        key = _key_of_request()
        if key is None:
            return None
        who = self._ring.holder_of(key)
        if who is None:
            raise Unauthorized
        return who

    def _by_share_link(self) -> Principal | None:
        if not request.query_string or PARAMETER not in request.args:
            return None
        who = self._shares.holder_of(request.args[PARAMETER])
        if who is None:
            raise Unauthorized
        return who

    def _by_session(self) -> Principal | None:
        """Return who is signed in. A cookie that is not good any more is as good as none."""
        session = self._sessions.find(request.cookies.get(COOKIE)) if _has_cookies() else None
        if session is None:
            return None
        g.session = session
        if request.method not in _SAFE:
            check_csrf(session)
        return session.principal


def _keep_out_of_caches(answer: Response) -> Response:
    """Have nothing stored that was shown to somebody who was let in.

    A copy would outlive the session and the job. Even one that has to be revalidated is shown
    when its reader goes back in the browser's history.
    """
    view = current_app.view_functions.get(request.endpoint or "")
    if isinstance(view, Guarded) and not view.is_open:
        answer.headers["Cache-Control"] = "no-store"
    return answer


def check_csrf(session: Session) -> None:
    """Refuse a request that another site may have made the browser send.

    A form without JavaScript can send no header, so the pages' own take the token as a field.

    Raises
    ------
    Forbidden
        If it does not carry the session's token, which only our own pages can read.
    """
    sent = request.headers.get(CSRF_HEADER)
    if sent is None:
        sent = form_of(request)[0].get(CSRF_FIELD, "") if _is_for_a_page() else ""
    if not hmac.compare_digest(sent.encode("utf-8", "replace"), session.csrf_token.encode()):
        raise Forbidden(f"In a session this needs its token in the header {CSRF_HEADER}.")


def _is_for_a_page() -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    return isinstance(view, Guarded) and view.is_page


def refuse_other_sites() -> None:
    """Keep other sites' pages, open in a browser on this machine, from submitting jobs.

    Raises
    ------
    Forbidden
    """
    if request.method not in _SAFE and request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise Forbidden("A page of another site may not do this.")


def _key_of_request() -> str | None:
    """Return the key that was sent, good or not.

    What ``Authorization`` holds besides is a proxy's or its identity provider's, and none of ours.
    """
    own = request.headers.get(KEY_HEADER)
    if own is not None:
        return own.strip()
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    key = text.strip()
    return key if scheme.lower() == "bearer" and key.startswith(KEY_PREFIX) else None


def _has_cookies() -> bool:
    return "HTTP_COOKIE" in request.environ


def _stay_at(job_id: str, view: Guarded) -> None:
    """Keep who follows a share link at its job: there are no others, as far as it can see."""
    if not view.shared:
        raise Forbidden("A share link shows one job and its pictures, nothing else.")
    if (request.view_args or {}).get("job_id") != job_id:
        raise UnknownJob
