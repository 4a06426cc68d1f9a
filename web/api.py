"""The routes of version 1: thin views over the use case, the store and the blobs."""

from __future__ import annotations

from functools import partial
from hashlib import blake2b
from itertools import chain

from flask import Blueprint, Response, request

from web.acceptance import HEADER, Acceptance, checked_key
from web.answers import RETRY_AFTER_S, as_json, find_job, json_answer
from web.auth import needs
from web.documents import ModelList
from web.errors import NotFound
from web.evidence import evidence_of
from web.job_view import job_view, model_view, overlays_made
from web.model_index import ModelIndex
from web.parsing import read_submission
from web.paths import job_path, path_prefix
from web.ports import Images, Ports
from web.principal import principal
from web.tracing import request_trace
from worker.jobs.job import Job, artifact_key, upload_key

_EXTENSIONS = {"png": "image/png", "webp": "image/webp"}
_MAGIC = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"RIFF", "image/webp"))


def blueprint(
    *, ports: Ports, models: ModelIndex, acceptance: Acceptance, images: Images
) -> Blueprint:
    """Make the routes over what they need."""
    api = Blueprint("api", __name__)
    _add_jobs(api, ports=ports, acceptance=acceptance, images=images)
    _add_artifacts(api, ports=ports)
    _add_models(api, models=models)
    return api


def _add_jobs(api: Blueprint, *, ports: Ports, acceptance: Acceptance, images: Images) -> None:
    @api.post("/v1/explanations")
    @needs("submit")
    def create() -> Response:
        key = checked_key(request.headers.get(HEADER))
        tenant = principal().tenant
        accepted = acceptance.accept(
            read_submission(request, fetch=partial(images.fetch, tenant=tenant)),
            tenant=tenant,
            key=key,
            traceparent=str(request_trace()),
        )
        answer = json_answer(accepted.body, status=202)
        answer.headers["Location"] = job_path(accepted.job_id, prefix=path_prefix())
        if accepted.is_replay:
            answer.headers["Idempotency-Replayed"] = "true"
        answer.headers["Retry-After"] = RETRY_AFTER_S
        return answer

    @api.get("/v1/explanations/<job_id>")
    @needs("read", shared=True)
    def poll(job_id: str) -> Response:
        job = find_job(ports.store, job_id)
        body = as_json(job_view(job, prefix=path_prefix()))
        tag = blake2b(body, digest_size=16).hexdigest()
        answer = _tagged(tag) or json_answer(body)
        answer.set_etag(tag)
        if not job.is_terminal:
            answer.headers["Retry-After"] = RETRY_AFTER_S
        return answer


def _add_artifacts(api: Blueprint, *, ports: Ports) -> None:
    @api.get("/v1/explanations/<job_id>/overlays/<class_index>/<filename>")
    @needs("read", shared=True)
    def overlay(job_id: str, class_index: str, filename: str) -> Response:
        job = find_job(ports.store, job_id)
        style, _, extension = filename.partition(".")
        made = overlays_made(job)
        index = int(class_index) if class_index.isdecimal() and len(class_index) < 10 else -1  # noqa: PLR2004
        if made.get(index, {}).get(style) != extension:
            raise NotFound(_not_made(job))
        name = f"overlays/{index}/{style}.{extension}"
        return _artifact(ports, job, name, media_type=_EXTENSIONS[extension])

    @api.get("/v1/explanations/<job_id>/attributions.json")
    @needs("read", shared=True)
    def attributions(job_id: str) -> Response:
        job = find_job(ports.store, job_id)
        return _artifact(ports, job, "attributions.json", media_type="application/json")

    @api.get("/v1/explanations/<job_id>/segments.png")
    @needs("read", shared=True)
    def segments(job_id: str) -> Response:
        job = find_job(ports.store, job_id)
        return _artifact(ports, job, "segments.png", media_type="image/png")

    @api.get("/v1/explanations/<job_id>/evidence.zip")
    @needs("read", shared=True)
    def evidence(job_id: str) -> Response:
        job = find_job(ports.store, job_id)
        tag = _tag_of(job, "evidence.zip")
        answer = _tagged(tag) or _evidence(job, ports)
        answer.set_etag(tag)
        return answer

    @api.get("/v1/explanations/<job_id>/image")
    @needs("read", shared=True)
    def image(job_id: str) -> Response:
        job = find_job(ports.store, job_id)
        return _blob(ports, upload_key(job.ref), tag=job.image.sha256, media_type=None)


def _add_models(api: Blueprint, *, models: ModelIndex) -> None:
    @api.get("/v1/models")
    @needs("read")
    def list_models() -> Response:
        entries = [entry for _, entry in sorted(models.all().items())]
        prefix = path_prefix()
        shown: ModelList = {
            "models": [model_view(one, with_labels=False, prefix=prefix) for one in entries]
        }
        return json_answer(shown)

    @api.get("/v1/models/<name>")
    @needs("read")
    def show_model(name: str) -> Response:
        shown = model_view(models.named(name), with_labels=True, prefix=path_prefix())
        return json_answer(shown)


def _not_made(job: Job) -> str:
    made = overlays_made(job)
    if job.result is None:
        return f"No pictures were made: the job is {job.status}."
    names = [
        f"{index}/{style}.{extension}"
        for index, styles in made.items()
        for style, extension in styles.items()
    ]
    return f"This picture was not made. Those that were: {', '.join(names) or 'none'}."


def _artifact(ports: Ports, job: Job, name: str, *, media_type: str) -> Response:
    tag = _tag_of(job, name)
    key = artifact_key(job.maker, (job.result or {})["fence"], name)
    return _blob(ports, key, tag=tag, media_type=media_type)


def _tag_of(job: Job, name: str) -> str:
    """Return the version of something that a job made."""
    if job.result is None:
        raise NotFound(f"This was not made: the job is {job.status}.")
    # What a key holds never changes, so the key names the version as well as the bytes would.
    key = artifact_key(job.maker, job.result["fence"], name)
    return blake2b(key.encode(), digest_size=16).hexdigest()


def _evidence(job: Job, ports: Ports) -> Response:
    parts = evidence_of(job, ports.blobs, prefix=path_prefix())
    # What is missing altogether is found before the answer has begun.
    answer = Response(chain([next(parts)], parts), content_type="application/zip")
    name = f"limelight-{job.ref.id}.zip"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _blob(ports: Ports, key: str, *, tag: str, media_type: str | None) -> Response:
    answer = _tagged(tag)
    if answer is None:
        data = ports.blobs.get(key)
        answer = Response(data, content_type=media_type or _media_type_of(data))
    answer.set_etag(tag)
    return answer


def _media_type_of(data: bytes) -> str:
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), "image/webp")


def _tagged(tag: str) -> Response | None:
    """Return an empty 304 if the client has this version already."""
    if "If-None-Match" in request.headers and request.if_none_match.contains_weak(tag):
        return Response(status=304)
    return None
