"""What the pages' forms do: submit, cancel, erase, share, sign in and out."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from flask import Blueprint, Response, redirect, request, url_for

from web.acceptance import Acceptance
from web.answers import find_job, json_answer, ref_of
from web.auth import needs, open_to_all, page
from web.doorkeeper import check_csrf, refuse_other_sites
from web.errors import InvalidRequest
from web.keyring import KeyRing
from web.parsing import form_of
from web.paths import job_page_path, path_prefix
from web.ports import Ports
from web.principal import principal
from web.session_cookie import SessionCookie
from web.sessions import COOKIE, Session, Sessions
from web.shares import PARAMETER, Shares
from web.site.page_form import read_page_form
from web.site.rendering import local_path, sign_in_page, wants_json
from web.site.routes import Parts, show_job
from web.tracing import request_trace
from worker.jobs.errors import ErasedJob, UnknownJob
from worker.jobs.job import upload_key

_MAX_BODY = 10_000
_MAX_SHARE_S = 30 * 86_400
_MIN_SHARE_S = 60
_SEE_OTHER = 303


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """Who may do what.

    Attributes
    ----------
    public_origin : str or None
        What links for others begin with; None takes the host of the request.
    """

    ring: KeyRing
    sessions: Sessions
    shares: Shares
    cookie: SessionCookie
    public_origin: str | None


def add_actions(site: Blueprint, parts: Parts, *, acceptance: Acceptance, access: Access) -> None:
    """Add the routes that forms are sent to."""
    _add_submission(site, parts, acceptance)
    _add_job_actions(site, parts, access)
    _add_session(site, access)


def _page_of(job_id: str) -> str:
    return job_page_path(job_id, prefix=path_prefix())


def _add_submission(site: Blueprint, parts: Parts, acceptance: Acceptance) -> None:
    @site.post("/explanations")
    @page
    @needs("submit")
    def explain() -> Response:
        submission = read_page_form(
            request, samples=parts.samples, image_of=lambda job_id: _image_of(parts.ports, job_id)
        )
        accepted = acceptance.accept(
            submission,
            tenant=principal().tenant,
            key=None,
            traceparent=str(request_trace()),
        )
        path = _page_of(accepted.job_id)
        return json_answer({"page": path}, status=201) if wants_json() else _go(path)


def _image_of(ports: Ports, job_id: str) -> bytes:
    try:
        job = find_job(ports.store, job_id)
    except (UnknownJob, ErasedJob) as error:
        raise InvalidRequest.at(
            "/image", "the image that was to be used again is no longer kept; choose the file"
        ) from error
    return ports.blobs.get(upload_key(job.ref))


def _add_job_actions(site: Blueprint, parts: Parts, access: Access) -> None:
    ports = parts.ports

    @site.post("/explanations/<job_id>/cancel")
    @page
    @needs("submit")
    def cancel(job_id: str) -> Response:
        ports.store.request_cancel(ref_of(job_id))
        return _go(_page_of(job_id))

    @site.post("/explanations/<job_id>/erase")
    @page
    @needs("submit")
    def erase(job_id: str) -> Response:
        ref = ref_of(job_id)
        # In the order of the API's own: should this process end, the sweeper takes the rest.
        ports.store.discard(ref)
        ports.blobs.release(ref, owner=ref)
        ports.store.erase(ref, blobs_may_follow=True)
        return _go(url_for("site.home"))

    @site.post("/explanations/<job_id>/share")
    @page
    @needs("submit")
    def share(job_id: str) -> Response:
        job = find_job(ports.store, job_id)
        left = (job.expires_at or 0) - (job.finished_at or 0)
        lasts_s = min(max(left, _MIN_SHARE_S), _MAX_SHARE_S)
        token, _ = access.shares.make(principal(), job.ref.id, expires_in_s=lasts_s)
        path = f"{_page_of(job.ref.id)}?{PARAMETER}={quote(token, safe='')}"
        link = f"{access.public_origin or _own_origin()}{path}"
        return (
            json_answer({"link": link}, status=201)
            if wants_json()
            else show_job(parts, job, link=link)
        )


def _add_session(site: Blueprint, access: Access) -> None:
    @site.get("/sign-in")
    @page
    @open_to_all
    def ask() -> Response:
        return sign_in_page(refused=None, back_to=local_path(request.args.get("back_to")))

    @site.post("/sign-in")
    @page
    @open_to_all
    def sign_in() -> Response:
        refuse_other_sites()
        request.max_content_length = _MAX_BODY
        fields, _ = form_of(request)
        back_to = local_path(fields.get("back_to"))
        who = access.ring.holder_of(fields.get("key", "").strip())
        if who is None:
            return sign_in_page(
                refused="This key is not good: it may be mistyped, revoked or past its time.",
                back_to=back_to,
            )
        text, _session = access.sessions.open(who)
        answer = _go(back_to)
        access.cookie.set(answer, text, lasts_s=access.sessions.lasts_s)
        return answer

    @site.post("/sign-out")
    @page
    @open_to_all
    def sign_out() -> Response:
        session: Session | None = access.sessions.find(request.cookies.get(COOKIE))
        if session is not None:
            check_csrf(session)
            access.sessions.end(session)
        answer = _go(url_for("site.home"))
        access.cookie.delete(answer)
        return answer


def _own_origin() -> str:
    """Return scheme and host by which the page was asked for; Werkzeug would decode the host."""
    return f"{request.scheme}://{request.headers.get('Host') or request.host}"


def _go(path: str) -> Response:
    """Send the browser on, so that reloading what it then shows repeats nothing."""
    answer = redirect(path, code=_SEE_OTHER, Response=Response)
    assert isinstance(answer, Response)  # noqa: S101 - It is of the class that was asked for.
    return answer
