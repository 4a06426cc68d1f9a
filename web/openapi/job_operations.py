"""What is said of the routes under ``/v1/explanations``, by their endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web import sse
from web.access_api import Share
from web.documents import Attributions, ShareLink
from web.job_documents import Job, JobPage
from web.listing import ListQuery
from web.openapi import examples
from web.openapi.parts import FORM, JSON, MALFORMED, Answer, Body, Example, Operation
from web.schemas import JobFields, JsonBody

_JOBS = "Jobs"
_PICTURES = "Pictures and figures"
_FINISHED = Answer(
    description="The job. Retry-After is there until it has ended.",
    body=Job,
    headers=("Retry-After", "ETag"),
    example=examples.FINISHED,
)
_UNCHANGED = Answer(description="As it was: the client has this version.", headers=("ETag",))
_NOT_MADE = (
    "Answered by 404 until the job has succeeded, and if the job was not asked for it or no longer "
    "stores it."
)

JOB_OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "api.create": Operation(
            id="createExplanation",
            tag=_JOBS,
            summary="Explain an image",
            description="Accepts a job. Everything but the image has a default. As a form, send "
            "the file in the part `image`, and the fields each as text (`classes=3`, "
            "`options.samples=500`, `overlays=signed,sheet`) or all together as JSON in the part "
            "`request`. As JSON, `image` holds the file in base64 or, where the operator allows "
            "hosts, its URL. A field that does not exist is refused by name.",
            body=Body(content={FORM: JobFields, JSON: JsonBody}, examples=examples.SUBMIT_BODIES),
            headers=("Idempotency-Key",),
            commands=examples.SUBMIT_COMMANDS,
            answers={
                202: Answer(
                    description="The job was accepted.",
                    body=Job,
                    headers=("Location", "Retry-After", "Idempotency-Replayed"),
                    example=examples.ACCEPTED,
                )
            },
            problems=(
                MALFORMED,
                "invalid-request",
                "invalid-image",
                "unknown-model",
                "unknown-class",
                "bad-webhook-url",
                "idempotency-mismatch",
                "conflict",
                "gone",
                "payload-too-large",
                "too-many-pixels",
                "unsupported-media-type",
                "unsupported-image",
                "queue-full",
            ),
            leads_to=(
                "getExplanation",
                "streamExplanation",
                "getImage",
                "shareExplanation",
                "cancelExplanation",
                "deleteExplanation",
            ),
        ),
        "api.poll": Operation(
            id="getExplanation",
            tag=_JOBS,
            summary="Poll a job",
            headers=("If-None-Match",),
            answers={200: _FINISHED, 304: _UNCHANGED},
        ),
        "owner.list_jobs": Operation(
            id="listExplanations",
            tag=_JOBS,
            summary="List your jobs",
            description="Newest first. `next` of a page is the `cursor` of the one after it.",
            query=ListQuery,
            answers={200: Answer(description="A page of jobs.", body=JobPage)},
            problems=(MALFORMED, "invalid-request"),
        ),
        "owner.events": Operation(
            id="streamExplanation",
            tag=_JOBS,
            summary="Follow a job",
            description="Server-sent events, as things happen: `queued`, `processing` and "
            "`progress` tell the members of the job that changed. The last event is named by the "
            "job's final status, and its data are the job.",
            headers=("Last-Event-ID",),
            answers={
                200: Answer(
                    description="The events. The stream ends with the job.",
                    media=(sse.MEDIA_TYPE,),
                    example=examples.EVENTS,
                ),
                204: Answer(description="The job has ended and the client has seen all events."),
            },
            problems=(MALFORMED,),
        ),
        "owner.cancel": Operation(
            id="cancelExplanation",
            tag=_JOBS,
            summary="Cancel a job",
            description="A job that waits ends at once, one that runs at its next batch.",
            answers={
                202: Answer(
                    description="The job, canceled or about to be.",
                    body=Job,
                    headers=("Retry-After",),
                )
            },
            problems=("conflict",),
        ),
        "owner.erase": Operation(
            id="deleteExplanation",
            tag=_JOBS,
            summary="Erase a job",
            description="The job, its image and its pictures are gone, even while it runs.",
            answers={204: Answer(description="It was erased.")},
        ),
        "access.share": Operation(
            id="shareExplanation",
            tag=_JOBS,
            summary="Share a job",
            description="Makes a link that shows the job and its pictures to whoever has it.",
            body=Body(
                content={JSON: Share},
                examples={"hour": Example(summary="For an hour", value={"expires_in_s": 3600})},
                is_required=False,
            ),
            answers={201: Answer(description="The link.", body=ShareLink)},
            problems=(
                MALFORMED,
                "invalid-request",
                "payload-too-large",
                "unsupported-media-type",
            ),
        ),
        "api.overlay": Operation(
            id="getOverlay",
            tag=_PICTURES,
            summary="Get a picture",
            description=f"The job's `overlays` hold the paths. {_NOT_MADE}",
            headers=("If-None-Match",),
            answers={
                200: Answer(
                    description="The picture.",
                    media=("image/png", "image/webp"),
                    headers=("ETag",),
                ),
                304: _UNCHANGED,
            },
        ),
        "api.attributions": Operation(
            id="getAttributions",
            tag=_PICTURES,
            summary="Get every attribution",
            description=_NOT_MADE,
            headers=("If-None-Match",),
            answers={
                200: Answer(description="The figures.", body=Attributions, headers=("ETag",)),
                304: _UNCHANGED,
            },
        ),
        "api.segments": Operation(
            id="getSegments",
            tag=_PICTURES,
            summary="Get the label map",
            description="16 bit, in pixels of the upload; 65535 is what the model does not see. "
            + _NOT_MADE,
            headers=("If-None-Match",),
            answers={
                200: Answer(description="The label map.", media=("image/png",), headers=("ETag",)),
                304: _UNCHANGED,
            },
        ),
        "api.evidence": Operation(
            id="getEvidence",
            tag=_PICTURES,
            summary="Get all of it as one file",
            description="A zip file of the job, its upload, the figures, the label map, the "
            f"pictures, and the SHA-256 of each. {_NOT_MADE}",
            headers=("If-None-Match",),
            answers={
                200: Answer(description="The file.", media=("application/zip",), headers=("ETag",)),
                304: _UNCHANGED,
            },
        ),
        "api.image": Operation(
            id="getImage",
            tag=_PICTURES,
            summary="Get the upload as it came",
            headers=("If-None-Match",),
            answers={
                200: Answer(
                    description="The file.",
                    media=("image/png", "image/jpeg", "image/webp"),
                    headers=("ETag",),
                ),
                304: _UNCHANGED,
            },
        ),
    }
)
