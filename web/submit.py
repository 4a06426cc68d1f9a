"""The use case of a POST: check everything, then store, then tell the queue.

Nothing is written before every check has passed, so a refused request leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import ValidationError

from web.errors import BadWebhookUrl, FieldError, InvalidRequest
from web.model_index import ModelIndex, resolve_classes
from web.parsing import Submission
from web.ports import Ports
from web.schemas import JobFields, WebhookFields, field_errors
from web.settings import WebSettings
from worker import images
from worker.explain.options import ExplanationOptions, Picture, TopClasses
from worker.explain.presets import PRESETS, picture, resolve
from worker.jobs import errors as jobs
from worker.jobs.job import (
    WEBHOOK_EVENTS,
    Job,
    JobRef,
    JobRequest,
    UploadedImage,
    Webhook,
    upload_key,
    upload_segments_key,
)
from worker.jobs.tenants import Tenants
from worker.webhooks import addresses

_log = structlog.get_logger("web.submit")


@dataclass(frozen=True, kw_only=True, slots=True)
class Submitter:
    """Accepts jobs.

    Attributes
    ----------
    webhook_policy : callable
        Where webhooks may go, by tenant.
    retention_s : int
        Retention of a job that asks for none.
    """

    ports: Ports
    models: ModelIndex
    settings: WebSettings
    tenants: Tenants
    webhook_policy: Callable[[str], addresses.Policy]
    retention_s: int

    def submit(self, submission: Submission, *, ref: JobRef, traceparent: str | None) -> Job:
        """Accept a job under a fresh reference: record it, then publish the reference.

        A job that was recorded counts as accepted even if the queue cannot be told: the sweeper
        publishes what was never published.

        Raises
        ------
        RequestError, worker.images.ImageError
            If the request cannot be served; nothing was stored.
        worker.jobs.errors.JobsError
            If it could not be stored.
        """
        request = self._checked(submission, ref.tenant)
        retention_s = self._retention_of(submission.fields, ref.tenant)
        image = _decoded(submission)
        job = self._recorded(
            submission,
            request,
            ref=ref,
            image=image,
            retention_s=retention_s,
            traceparent=traceparent,
        )
        _log.info("job accepted", job=job.ref.id, model=request.model, queue=job.queue)
        self._publish(job)
        return job

    def _checked(self, submission: Submission, tenant: str) -> JobRequest:
        fields = submission.fields
        entry = self.models.for_request(fields.model, default=self.settings.default_model)
        classes: Mapping[str, Any] | tuple[int, ...]
        if isinstance(fields.classes, TopClasses):
            classes = fields.classes.model_dump()
        else:
            classes = resolve_classes(entry, fields.classes)
        return JobRequest(
            model=entry.name,
            version=fields.version,
            classes=classes,
            preset=fields.preset,
            options=_options(submission).model_dump(),
            overlays=tuple(overlay.model_dump() for overlay in _overlays(fields)),
            has_segments=submission.segments is not None,
            metadata=fields.metadata,
            webhook=_webhook(fields.webhook, self.webhook_policy(tenant)),
        )

    def _retention_of(self, fields: JobFields, tenant: str) -> int:
        own = self.tenants.of(tenant)
        longest = own.max_retention_s or self.settings.max_retention_s
        if fields.retention_s is not None and fields.retention_s > longest:
            raise InvalidRequest.at("/retention_s", f"must be at most {longest} (seconds)")
        return fields.retention_s or min(own.retention_s or self.retention_s, longest)

    def _recorded(
        self,
        submission: Submission,
        request: JobRequest,
        *,
        ref: JobRef,
        image: UploadedImage,
        retention_s: int,
        traceparent: str | None,
    ) -> Job:
        """Store the bytes and then the record. Blobs without a record are swept away in time."""
        self.ports.blobs.put(upload_key(ref), submission.image)
        if submission.segments is not None:
            self.ports.blobs.put(upload_segments_key(ref), submission.segments)
        try:
            return self.ports.store.create(
                ref=ref,
                queue=submission.fields.queue,
                request=request,
                image=image,
                deadline_s=self.settings.queue_limit_s,
                retention_s=retention_s,
                queue_limit=self.tenants.of(ref.tenant).queue_limit,
                traceparent=traceparent,
            )
        except (jobs.QueueFull, jobs.StoreFull):
            # Refusals come in floods, and each would leave an image until it is swept.
            self.ports.blobs.erase(str(ref))
            raise

    def _publish(self, job: Job) -> None:
        try:
            self.ports.queue.publish(job.ref, job.queue)
            self.ports.store.mark_published(job.ref)
        except jobs.JobsError as error:
            _log.warning("accepted but not published yet", job=job.ref.id, error=str(error))


def _webhook(asked: WebhookFields | None, policy: addresses.Policy) -> Webhook | None:
    """Check where a webhook is to go, as far as that can be told without resolving its host."""
    if asked is None:
        return None
    try:
        addresses.check_url(asked.url, policy)
    except addresses.BadWebhookUrl as error:
        raise BadWebhookUrl.at("/webhook/url", error.reason) from error
    return Webhook(url=asked.url, events=tuple(dict.fromkeys(asked.events or WEBHOOK_EVENTS)))


def _options(submission: Submission) -> ExplanationOptions:
    """Lay the request's options over its preset; an uploaded label map is used if none is named."""
    fields = submission.fields
    asked = dict(fields.options)
    if submission.segments is not None and asked.get("segmentation") is None:
        asked["segmentation"] = "custom"
    try:
        options = resolve(fields.preset, asked, text=submission.is_text)
    except ValidationError as error:
        raise InvalidRequest(
            field_errors(error, model=ExplanationOptions, document=asked, prefix=["options"])
        ) from error
    wants_map = options.segmentation.method == "custom"
    if wants_map and submission.segments is None:
        raise InvalidRequest.at("/segments", "is required by the segmentation 'custom'")
    if submission.segments is not None and not wants_map:
        raise InvalidRequest.at(
            "/segments", f"is not used by the segmentation {options.segmentation.method!r}"
        )
    return options


def _overlays(fields: JobFields) -> list[Picture]:
    """Choose the pictures to draw: those asked for or the preset's own, at most one of a style."""
    asked = PRESETS[fields.preset].overlays if fields.overlays is None else fields.overlays
    pictures: dict[str, Picture] = {}
    wrong: list[FieldError] = []
    for position, item in enumerate(asked):
        place = ("overlays", position)
        document = {"style": item} if isinstance(item, str) else item
        try:
            found = picture(fields.preset, document)
        except ValidationError as error:
            # A style named by text stands at the item itself, not in a field of it.
            named = {} if isinstance(item, str) else document
            wrong += field_errors(error, model=Picture, document=named, prefix=place)
            continue
        if found.style in pictures:
            detail = f"asks for {found.style!r} a second time"
            wrong.append(FieldError(pointer=f"/overlays/{position}", detail=detail))
        pictures[found.style] = found
    if wrong:
        raise InvalidRequest(wrong)
    return list(pictures.values())


def _decoded(submission: Submission) -> UploadedImage:
    """Decode what was uploaded, to be sure that a worker can."""
    decoded = images.inspect(submission.image)
    if submission.segments is not None:
        try:
            images.decode_label_map(submission.segments, width=decoded.width, height=decoded.height)
        except images.BadLabelMap as error:
            raise InvalidRequest.at("/segments", str(error)) from error
    return UploadedImage(sha256=decoded.sha256, width=decoded.width, height=decoded.height)
