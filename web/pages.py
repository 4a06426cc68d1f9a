"""Pages for people, made here with nothing from elsewhere, and the document for programs."""

from __future__ import annotations

from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

from flask import Blueprint, Response, current_app, render_template, request, send_from_directory

from web.answers import as_json, json_answer
from web.auth import open_to_all
from web.docs_page import Page, code
from web.documents import ProblemPage
from web.errors import NotFound
from web.openapi.document import build
from web.paths import path_prefix, problem_path
from web.problems import PROBLEMS

_HERE = Path(__file__).resolve().parent
TEMPLATES = str(_HERE / "templates")
_JSON, _HTML = "application/json", "text/html"
# Nothing but what this server serves: no inline script or style, no other site's frame or form.
_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
# They change with the version of the service alone; browsers ask again all the same.
_CACHE = "public, max-age=300"
# A proxy may pass on what clients write into its header.
_MOST_PREFIXES = 8


class Contract:
    """The document of the application, made when it is first asked for below a prefix."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[bytes, Page]] = {}

    def read(self) -> tuple[bytes, Page]:
        """Return it for programs and for people.

        Threads that come first at once each make it; it is the same.
        """
        prefix = path_prefix()
        made = self._made.get(prefix)
        if made is None:
            document = build(current_app, version=version("limelight"), prefix=prefix)
            made = as_json(document), Page(document)
            if len(self._made) >= _MOST_PREFIXES:
                self._made.clear()
            self._made[prefix] = made
        return made


def blueprint() -> Blueprint:
    """Make the routes."""
    pages = Blueprint("pages", __name__, template_folder=TEMPLATES)
    pages.add_app_template_filter(code, "code")
    contract = Contract()
    _add_contract(pages, contract)

    @pages.get("/assets/<asset>")
    @open_to_all
    def asset(asset: str) -> Response:
        answer = send_from_directory(_HERE / "assets", asset)
        answer.headers["Cache-Control"] = _CACHE
        return answer

    @pages.get("/problems/<slug>")
    @open_to_all
    def problem(slug: str) -> Response:
        if slug not in PROBLEMS:
            raise NotFound(f"There is no such type. Those that exist: {', '.join(PROBLEMS)}.")
        kind = PROBLEMS[slug]
        shown: ProblemPage = {
            "type": problem_path(slug, prefix=path_prefix()),
            "title": kind.title,
            "status": kind.status,
            "advice": kind.advice,
        }
        # Programs that accept anything get what they can read.
        wanted = request.accept_mimetypes.best_match([_JSON, _HTML])
        answer = (
            _page("problem.html", problem=shown, slug=slug)
            if wanted == _HTML
            else json_answer(shown)
        )
        answer.headers["Cache-Control"] = _CACHE
        answer.vary.add("Accept")
        return answer

    return pages


def _add_contract(pages: Blueprint, contract: Contract) -> None:
    @pages.get("/openapi.json")
    @open_to_all
    def openapi() -> Response:
        body, _ = contract.read()
        answer = json_answer(body)
        answer.set_etag(blake2b(body, digest_size=16).hexdigest())
        answer.headers["Cache-Control"] = _CACHE
        answer.make_conditional(request)
        return answer

    @pages.get("/docs")
    @open_to_all
    def docs() -> Response:
        _, page = contract.read()
        answer = _page("docs.html", page=page, problems=PROBLEMS)
        answer.headers["Cache-Control"] = _CACHE
        return answer


def _page(template: str, **shown: object) -> Response:
    answer = Response(render_template(template, **shown), content_type=f"{_HTML}; charset=utf-8")
    answer.headers["Content-Security-Policy"] = _POLICY
    return answer
