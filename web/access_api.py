"""The routes of signing in and of share links."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, g, request
from pydantic import Field

from web import strict_json
from web.auth import needs, needs_any_key, open_to_all
from web.documents import SessionView, ShareLink
from web.doorkeeper import check_csrf
from web.errors import Unauthorized, UnsupportedContentType
from web.job_view import timestamp
from web.keyring import KeyRing
from web.paths import job_path, path_prefix
from web.ports import JobStore
from web.principal import Principal, principal
from web.schemas import RequestModel, validate
from web.session_cookie import SessionCookie
from web.sessions import COOKIE, Session, Sessions
from web.shares import PARAMETER, Shares
from worker.jobs.errors import UnknownJob
from worker.jobs.job import is_job_id

_MAX_BODY = 10_000
_WEEK_S = 7 * 86_400
_MAX_SHARE_S = 30 * 86_400


class SignIn(RequestModel):
    """Body of ``POST /session``."""

    key: str = Field(max_length=200)


class Share(RequestModel):
    """Body of ``POST /v1/explanations/{id}/share``."""

    expires_in_s: int = Field(_WEEK_S, ge=60, le=_MAX_SHARE_S)


def blueprint(
    *, ring: KeyRing, sessions: Sessions, shares: Shares, store: JobStore, cookie: SessionCookie
) -> Blueprint:
    """Make the routes over what they need."""
    access = Blueprint("access", __name__)
    _add_sessions(access, ring=ring, sessions=sessions, cookie=cookie)
    _add_shares(access, shares=shares, store=store)
    return access


def _add_sessions(
    access: Blueprint, *, ring: KeyRing, sessions: Sessions, cookie: SessionCookie
) -> None:
    @access.post("/session")
    @open_to_all
    def sign_in() -> Response:
        who = ring.holder_of(validate(SignIn, _document()).key)
        if who is None:
            raise Unauthorized
        text, session = sessions.open(who)
        answer = _json(_session_view(who, session))
        cookie.set(answer, text, lasts_s=sessions.lasts_s)
        return answer

    @access.get("/session")
    @needs_any_key
    def who_am_i() -> Response:
        return _json(_session_view(principal(), g.get("session")))

    @access.delete("/session")
    @open_to_all
    def sign_out() -> Response:
        """Forget the cookie, whether or not it is still good."""
        session = sessions.find(request.cookies.get(COOKIE))
        if session is not None:
            check_csrf(session)
            sessions.end(session)
        answer = Response(status=204)
        cookie.delete(answer)
        return answer


def _add_shares(access: Blueprint, *, shares: Shares, store: JobStore) -> None:
    @access.post("/v1/explanations/<job_id>/share")
    @needs("submit")
    def share(job_id: str) -> Response:
        asked = validate(Share, _document(optional=True))
        if not is_job_id(job_id):
            raise UnknownJob
        job = store.get(principal().ref(job_id))
        token, expires_at = shares.make(principal(), job.ref.id, expires_in_s=asked.expires_in_s)
        url = f"{job_path(job.ref.id, prefix=path_prefix())}?{PARAMETER}={token}"
        link: ShareLink = {"url": url, "token": token, "expires_at": timestamp(expires_at)}
        return _json(link, status=201)


def _document(*, optional: bool = False) -> Any:
    request.max_content_length = _MAX_BODY
    data = request.get_data(cache=False)
    if optional and not data:
        return {}
    # Another site's page cannot send this type without asking first.
    if request.mimetype != "application/json":
        raise UnsupportedContentType("Send application/json.")
    return strict_json.loads(data)


def _session_view(who: Principal, session: Session | None) -> SessionView:
    return {
        "tenant": who.tenant,
        "scopes": sorted(who.scopes),
        "key_id": who.key_id,
        "csrf_token": None if session is None else session.csrf_token,
        "expires_at": None if session is None else timestamp(session.expires_at),
    }


def _json(body: Mapping[str, object], *, status: int = 200) -> Response:
    answer = Response(json.dumps(body), status=status, content_type="application/json")
    answer.headers["Cache-Control"] = "no-store"
    return answer
