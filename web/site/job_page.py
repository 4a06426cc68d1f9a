"""A job as its page shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from web.job_view import job_view
from web.site.bars import Chart, chart
from web.site.choices import effective, flattened, label_of
from web.site.page_form import FILENAME
from web.site.words import (
    QUANTITIES,
    STAGES,
    STATUSES,
    TRUST,
    WAITING,
    ago,
    duration,
    moment,
    number,
)
from web.trust_documents import ResultWarning, TrustReason
from worker.explain.presets import PRESETS
from worker.jobs.job import Job

_STYLES = {
    "signed": "For and against",
    "heatmap": "Heat map",
    "highlight": "Strongest segments",
    "boundaries": "Segments",
    "sheet": "Sheet",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """A file to take away."""

    title: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassView:
    """One explained class.

    Attributes
    ----------
    picture : str or None
        Path of the picture that is shown where there is no JavaScript.
    """

    index: int
    name: str
    score: str
    score_name: str
    trust: str | None
    warnings: tuple[ResultWarning, ...]
    reasons: tuple[TrustReason, ...]
    chart: Chart
    unit: str
    picture: str | None
    downloads: tuple[Download, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPage:
    """Everything that the page of a job says."""

    id: str
    path: str
    title: str
    name: str
    status: str
    status_name: str
    is_over: bool
    model: str
    version: int | None
    preset: str
    size: tuple[int, int]
    created: str
    created_ago: str
    expires: str | None
    expires_in: str | None
    shares_for_s: int
    stage: str
    waiting: str | None
    samples_done: int
    samples_limit: int
    facts: tuple[tuple[str, str], ...]
    classes: tuple[ClassView, ...]
    predictions: tuple[Mapping[str, Any], ...]
    warnings: tuple[ResultWarning, ...]
    error: Mapping[str, Any] | None
    options: tuple[tuple[str, str, bool], ...]
    metadata: tuple[tuple[str, str], ...]


def class_name(shown: Mapping[str, Any]) -> str:
    """Return what people call a class."""
    return shown["class_name"] or f"Class {shown['class_index']}"


def name_of(job: Job) -> str:
    """Return what people call a job: its file, or its size where that is all there is."""
    named = job.request.metadata.get(FILENAME)
    return named or f"Image of {job.image.width} × {job.image.height}"


def job_page(job: Job, *, now: float, prefix: str) -> JobPage:
    """Show a job.

    Parameters
    ----------
    job : Job
    now : float
        Unix seconds.
    prefix : str
        What all paths begin with.
    """
    shown: Mapping[str, Any] = job_view(job, prefix=prefix)
    explained = shown["explanations"] or ()
    indices = {one["class_index"] for one in explained}
    left = None if job.expires_at is None else max(0.0, job.expires_at - now)
    return JobPage(
        id=job.ref.id,
        path=shown["links"]["self"],
        title=class_name(explained[0]) if explained else name_of(job),
        name=name_of(job),
        status=job.status,
        status_name=STATUSES[job.status],
        is_over=job.is_terminal,
        model=shown["model"]["name"],
        version=shown["model"]["version"],
        preset=job.request.preset,
        size=(job.image.width, job.image.height),
        created=moment(job.created_at),
        created_ago=ago(job.created_at, now=now),
        expires=None if job.expires_at is None else moment(job.expires_at),
        expires_in=None if left is None else duration(left),
        shares_for_s=int(left or 0),
        stage=STAGES.get(job.progress.stage, job.progress.stage.capitalize()),
        waiting=WAITING.get(job.waiting_for or ""),
        samples_done=job.progress.samples_done,
        samples_limit=job.progress.samples_limit,
        facts=tuple(_facts(job, shown)),
        classes=tuple(_class(one, shown) for one in explained),
        predictions=tuple(_predictions(shown)),
        warnings=tuple(
            one for one in _worst_first(shown["warnings"]) if one["class_index"] not in indices
        ),
        error=shown["error"],
        options=tuple(_options(job, shown["options"])),
        metadata=tuple(item for item in shown["metadata"].items() if item[0] != FILENAME),
    )


def _class(one: Mapping[str, Any], shown: Mapping[str, Any]) -> ClassView:
    index, warnings = one["class_index"], _worst_first(shown["warnings"])
    trust: Mapping[str, Any] = one.get("trust", {})
    pictures: Mapping[str, str] = one["overlays"]
    plain = [path for style, path in pictures.items() if style != "sheet"]
    return ClassView(
        index=index,
        name=class_name(one),
        score=number(one["score"]),
        score_name=QUANTITIES[one.get("score_kind", "score")],
        trust=TRUST.get(trust.get("level", "")),
        warnings=tuple(told for told in warnings if told["class_index"] == index),
        reasons=tuple(trust.get("reasons", ())),
        chart=chart(one["top_segments"]),
        unit=QUANTITIES[one["score_scale"]],
        picture=pictures.get("signed") or next(iter(plain), None),
        downloads=tuple(
            Download(title=_STYLES.get(style, style.capitalize()), path=path)
            for style, path in pictures.items()
        ),
    )


def _worst_first(warnings: Iterable[ResultWarning]) -> list[ResultWarning]:
    return sorted(warnings, key=lambda one: ("critical", "warning", "info").index(one["severity"]))


def _predictions(shown: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    explained = {one["class_index"] for one in shown["explanations"] or ()}
    predictions = shown["predictions"] or ()
    most = max((abs(one["score"]) for one in predictions), default=0.0) or 1.0
    for one in predictions:
        yield {
            "name": class_name(one),
            "score": number(one["score"]),
            "width": f"{100 * max(0.0, one['score']) / most:.2f}%",
            "is_explained": one["class_index"] in explained,
        }


def _facts(job: Job, shown: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    samples, timings = shown["samples"], shown["timings"]
    yield "Image", f"{job.image.width} × {job.image.height} pixels"
    if shown["segments"]["count"] is not None:
        yield "Segments", str(shown["segments"]["count"])
    if samples["used"] is not None:
        yield "Samples", f"{samples['used']} of at most {samples['limit']} ({samples['sampler']})"
    if job.computed_by is not None:
        yield "Computed by", f"another job with the same request, {job.computed_by}"
    elif samples["model_calls"] is not None:
        yield "Model calls", f"{samples['model_calls']} with {samples['images_scored']} images"
    if job.started_at is not None and job.finished_at is not None:
        model = timings["predict_s"]
        beside = "" if not model else f", {duration(model)} of it in the model"
        yield "Time", f"{duration(job.finished_at - job.started_at)}{beside}"
    yield "Seed", str(samples["seed"])
    yield "SHA-256 of the image", job.image.sha256
    if shown["segments"]["sha256"] is not None:
        yield "SHA-256 of the segments", shown["segments"]["sha256"]


def _options(job: Job, options: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Yield each option in words, its value, and whether it is not the preset's own."""
    own = effective(job.request.preset) if job.request.preset in PRESETS else {}
    for path, value in flattened(options):
        above, _, _ = path.rpartition(".")
        label = label_of(path) if not above else f"{label_of(above)}: {label_of(path).lower()}"
        yield label, value, path in own and own[path] != value
