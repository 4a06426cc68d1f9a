"""What all pages share: their policy, who looks at them, and errors told on a page."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import Response, current_app, g, render_template, request, url_for

from web.auth import Guarded
from web.documents import Problem
from web.paths import path_prefix
from web.principal import principal
from web.problems import MEDIA_TYPE, PROBLEMS
from web.sessions import CSRF_FIELD, Session
from web.shares import PARAMETER

# Nothing but what this server serves, no inline script or style, and pictures made in the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HTML, _JSON = "text/html", "application/json"
_UNAUTHORIZED = "unauthorized"


def render(template: str, *, status: int = 200, **shown: Any) -> Response:
    """Render a page for whoever makes the request."""
    text = render_template(template, viewer=_viewer(), **shown)
    answer = Response(text, status=status, content_type=f"{_HTML}; charset=utf-8")
    answer.headers["Content-Security-Policy"] = POLICY
    # It shows what is true now, and to whom it was shown.
    answer.headers["Cache-Control"] = "no-store"
    return answer


def wants_json() -> bool:
    """Whether a script of a page asks rather than somebody who reads."""
    return request.accept_mimetypes.best_match([_HTML, _JSON]) == _JSON


def error_page(problem: Problem) -> Response | None:
    """Tell a problem on a page; None where it was not a page that was asked for."""
    view = current_app.view_functions.get(request.endpoint or "")
    if not (isinstance(view, Guarded) and view.is_page) or wants_json():
        return None
    slug = problem["type"].rpartition("/")[2]
    if slug == _UNAUTHORIZED and PARAMETER not in request.args:
        return sign_in_page(refused=None, back_to=_here())
    return render(
        "error.html", problem=problem, slug=slug, advice=PROBLEMS[slug].advice, status=200
    )


def sign_in_page(*, refused: str | None, back_to: str) -> Response:
    """Ask for a key.

    Parameters
    ----------
    refused : str or None
        Why the last key was not taken.
    back_to : str
        Path to go on to.
    """
    # Browsers keep the cookie back when another site led here; asking once more, they send it.
    came_from_elsewhere = request.headers.get("Sec-Fetch-Site") == "cross-site"
    return render(
        "sign_in.html",
        refused=refused,
        back_to=back_to,
        asks_again=came_from_elsewhere and request.method == "GET",
        status=200 if refused is None else 401,
    )


def share_suffix() -> str:
    """Return what addresses of a shared job end with: nothing, or the token it was shown by."""
    token = request.args.get(PARAMETER)
    return "" if token is None else f"?{PARAMETER}={quote(token, safe='')}"


def local_path(text: str | None) -> str:
    """Return a path of this server to go on to, whatever a form or an address says."""
    home = url_for("site.home")
    if text is None or not text.startswith(home) or text.startswith(("//", "/\\")):
        return home
    return text if text.isprintable() else home


def _here() -> str:
    if request.method != "GET":
        return url_for("site.home")
    query = request.query_string.decode("latin-1")
    path = path_prefix() + quote(request.path)
    return local_path(f"{path}?{query}" if query else path)


def _viewer() -> dict[str, Any]:
    """Say who looks at a page, as far as that shows on it."""
    session: Session | None = g.get("session")
    who = principal() if "principal" in g else None
    return {
        "csrf_token": None if session is None else session.csrf_token,
        "csrf_field": CSRF_FIELD,
        "tenant": None if session is None else session.principal.tenant,
        "may_submit": who is not None and "submit" in who.scopes,
        "may_list": who is not None and who.only_job is None and "read" in who.scopes,
        "share": share_suffix(),
        "problem_type": MEDIA_TYPE,
    }
