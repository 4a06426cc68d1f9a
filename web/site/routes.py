"""The pages: a new explanation, the list, a job, two jobs side by side."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from flask import Blueprint, Response, request

from web.answers import find_job
from web.auth import needs, page
from web.errors import InvalidRequest
from web.job_view import overlays_made
from web.listing import page_view, read_cursor
from web.model_index import ModelIndex
from web.paths import path_prefix
from web.ports import Ports
from web.principal import principal
from web.settings import WebSettings
from web.site import choices, compare, job_page
from web.site.job_cards import Card, card, with_results
from web.site.rendering import render
from web.site.samples import Samples
from web.site.thumbnails import Thumbnails
from web.site.words import STAGES, WAITING
from worker.explain.options import MAX_EXPLAINED_CLASSES
from worker.explain.presets import PRESETS
from worker.images import MAX_PIXELS
from worker.jobs.errors import UnknownJob
from worker.jobs.job import Job, artifact_key, upload_key

_RECENT = 8
_LISTED = 24
_COMPARED = 50
_sections = cache(choices.sections)
_presets = cache(choices.presets)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What the pages work with."""

    ports: Ports
    models: ModelIndex
    settings: WebSettings
    samples: Samples
    thumbnails: Thumbnails


def add_pages(site: Blueprint, parts: Parts) -> None:
    """Add the pages."""
    _add_home(site, parts)
    _add_job(site, parts)
    _add_compare(site, parts)
    _add_pictures(site, parts)


def _add_home(site: Blueprint, parts: Parts) -> None:
    @site.get("/")
    @page
    @needs("read")
    def home() -> Response:
        return _home(parts)

    @site.get("/explanations")
    @page
    @needs("read")
    def listed() -> Response:
        cards, more = _cards(parts, limit=_LISTED, cursor=request.args.get("cursor"))
        return render("list.html", cards=cards, more=more)


def _home(parts: Parts) -> Response:
    cards, _ = _cards(parts, limit=_RECENT)
    again = _again(parts, request.args.get("image"))
    return render(
        "home.html",
        cards=cards,
        models=tuple(parts.models.all().values()),
        default_model=parts.settings.default_model,
        presets=PRESETS,
        preset_options=_presets(),
        sections=_sections(),
        samples=parts.samples.all(),
        again=again,
        chosen_sample=request.args.get("sample"),
        max_bytes=parts.settings.max_upload_bytes,
        max_pixels=MAX_PIXELS,
        max_classes=MAX_EXPLAINED_CLASSES,
    )


def _again(parts: Parts, job_id: str | None) -> Card | None:
    """Find the job whose image is to be explained once more."""
    if job_id is None:
        return None
    return card(find_job(parts.ports.store, job_id), now=time.time())


def _cards(parts: Parts, *, limit: int, cursor: str | None = None) -> tuple[list[Card], str | None]:
    found = parts.ports.store.page(
        principal().tenant, status=None, model=None, limit=limit, after=read_cursor(cursor)
    )
    now = time.time()
    cards = [card(job, now=now) for job in with_results(found.jobs, parts.ports.store)]
    return cards, page_view(found, prefix=path_prefix())["next"]


def _add_job(site: Blueprint, parts: Parts) -> None:
    @site.get("/explanations/<job_id>")
    @page
    @needs("read", shared=True)
    def job(job_id: str) -> Response:
        return show_job(parts, find_job(parts.ports.store, job_id))


def show_job(parts: Parts, job: Job, *, link: str | None = None) -> Response:
    """Show the page of a job, with a link to share if one was just made."""
    shown = job_page.job_page(job, now=time.time(), prefix=path_prefix())
    others: list[Card] = []
    if principal().only_job is None and job.status == "succeeded":
        cards, _ = _cards(parts, limit=_LISTED)
        others = sorted(
            (one for one in cards if one.id != shown.id and one.status == "succeeded"),
            key=lambda one: one.sha256 != job.image.sha256,
        )
    template = "job.html" if job.status == "succeeded" else "waiting.html"
    return render(
        template,
        job=shown,
        others=others,
        sha256=job.image.sha256,
        link=link,
        stages=dict(STAGES),
        waiting=dict(WAITING),
    )


def _add_compare(site: Blueprint, parts: Parts) -> None:
    @site.get("/compare")
    @page
    @needs("read")
    def compared() -> Response:
        cards, _ = _cards(parts, limit=_COMPARED)
        choosable = [one for one in cards if one.status == "succeeded"]
        sides = tuple(_side(parts, name) for name in ("a", "b"))
        return render(
            "compare.html",
            cards=choosable,
            sides=sides,
            verdict=compare.verdict(*sides),
        )


def _side(parts: Parts, name: str) -> compare.Side | None:
    """Read one side of a comparison from the address: ``a=exp_...:285``."""
    text = request.args.get(name, "").strip()
    if not text:
        return None
    job_id, _, index = text.partition(":")
    try:
        job = find_job(parts.ports.store, job_id)
    except UnknownJob as error:
        raise InvalidRequest.at(f"/{name}", "names no job of yours") from error
    return compare.side(job, index, now=time.time(), parameter=name, prefix=path_prefix())


def _add_pictures(site: Blueprint, parts: Parts) -> None:
    @site.get("/explanations/<job_id>/thumbnail.webp")
    @page
    @needs("read", shared=True)
    def thumbnail(job_id: str) -> Response:
        job = find_job(parts.ports.store, job_id)
        key = _picture_of(job)
        return _small(parts, key, lambda: parts.ports.blobs.get(key))

    @site.get("/samples/<name>.webp")
    @page
    @needs("read")
    def sample(name: str) -> Response:
        found = parts.samples.named(name)
        return _small(parts, f"sample/{name}", found.file.read_bytes)

    @site.get("/explanations/<job_id>/image.webp")
    @page
    @needs("read", shared=True)
    def small_image(job_id: str) -> Response:
        job = find_job(parts.ports.store, job_id)
        key = upload_key(job.ref)
        return _small(parts, key, lambda: parts.ports.blobs.get(key))


def _picture_of(job: Job) -> str:
    """Name what shows a job best: a picture of its first class, or its image."""
    for index, styles in overlays_made(job).items():
        for style in ("signed", "heatmap", "highlight", *styles):
            if style in styles and style != "sheet":
                name = f"overlays/{index}/{style}.{styles[style]}"
                return artifact_key(job.maker, (job.result or {})["fence"], name)
    return upload_key(job.ref)


def _small(parts: Parts, key: str, read: Callable[[], bytes]) -> Response:
    return Response(parts.thumbnails.of(key, read), content_type="image/webp")
