"""The problem types of the API: what each is called, its status, and what to do about it.

An error answer names its type by a path under ``/problems/``, and a GET of that path shows the
advice written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from web.documents import Problem
from web.paths import problem_path

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProblemType:
    """One kind of problem.

    Attributes
    ----------
    status : int
        The usual HTTP status; of a failed job, that of the same failure had it been synchronous.
    title : str
        The same words for every problem of this type.
    advice : str
        What the reader can do about it.
    """

    status: int
    title: str
    advice: str


def _type(status: int, title: str, advice: str) -> ProblemType:
    return ProblemType(status=status, title=title, advice=advice)


PROBLEMS: Mapping[str, ProblemType] = MappingProxyType(
    {
        "invalid-request": _type(
            422,
            "The request is not valid",
            "Correct the fields listed in `errors`: each names a field by a JSON pointer and says "
            "what it must be. Status 400 means that the body could not be read at all.",
        ),
        "unauthorized": _type(
            401,
            "An API key is needed",
            "Send a key in the header `Authorization: Bearer ll_...`. The operator makes one with "
            "`limelight keys create`. A key that was revoked or has expired is answered like none.",
        ),
        "forbidden": _type(
            403,
            "The key does not allow this",
            "Use a key with the scope that the detail names; in a session, send its CSRF token.",
        ),
        "not-found": _type(
            404,
            "Not found",
            "Check the path and the id. An id is answered only where it was made.",
        ),
        "gone": _type(
            410,
            "The job was erased",
            "Its retention has passed or it was deleted. Submit the image again, with a longer "
            "`retention_s` if you need to keep the answer.",
        ),
        "conflict": _type(
            409,
            "The request does not suit the state of things",
            "GET the job to see where it stands. Where the answer has a Retry-After header, send "
            "the same request again after that time.",
        ),
        "idempotency-mismatch": _type(
            422,
            "The idempotency key stands for another request",
            "Use a new Idempotency-Key for each new request, and the same one only to send exactly "
            "the same request again.",
        ),
        "method-not-allowed": _type(
            405, "Method not allowed", "Use one of the methods in the Allow header."
        ),
        "payload-too-large": _type(
            413,
            "The request is too large",
            "Send a smaller image: a model looks at a few hundred pixels a side. The operator sets "
            "the limit with LIMELIGHT_MAX_UPLOAD_BYTES.",
        ),
        "unsupported-media-type": _type(
            415,
            "The content type is not supported",
            "Send multipart/form-data with a part `image`, or application/json with "
            '`"image": {"base64": "..."}`, without a Content-Encoding.',
        ),
        "unsupported-image": _type(
            415, "The image format is not supported", "Send a PNG, JPEG or WebP file."
        ),
        "invalid-image": _type(
            422,
            "The image cannot be used",
            "Open the file in an image program and save it again as a still PNG, JPEG or WebP.",
        ),
        "too-many-pixels": _type(
            413, "The image has too many pixels", "Send a smaller copy of the image."
        ),
        "unknown-model": _type(
            422, "The model is not known", "GET /v1/models lists the models that can be named."
        ),
        "unknown-class": _type(
            422,
            "The class is not known to the model",
            "GET /v1/models/{name} lists the model's class names in the order of their indices.",
        ),
        "bad-webhook-url": _type(
            422,
            "The webhook cannot go to this URL",
            "Name a public host by https, at a usual port. The operator can allow internal hosts, "
            "networks, other ports and http (LIMELIGHT_WEBHOOK_*, `webhook_hosts`).",
        ),
        "rate-limited": _type(
            429,
            "Too many requests",
            "Try again after the time in the Retry-After header. RateLimit-Remaining tells before "
            "it is too late how much is left; the operator sets the rate in the tenants file.",
        ),
        "queue-full": _type(
            503, "The queue is full", "Try again after the time in the Retry-After header."
        ),
        "unavailable": _type(
            503,
            "The service is not available",
            "Try again after the time in the Retry-After header. GET /v2/health/ready tells more.",
        ),
        "internal": _type(
            500,
            "Something went wrong on our side",
            "Try once more. If it happens again, give the operator the time and the path.",
        ),
        "predictor-unavailable": _type(
            503, "The model server did not answer", "Submit the job again once the server is up."
        ),
        "predictor-deadline": _type(
            504,
            "The model server took too long",
            "Submit the job again, with fewer samples if the model is slow.",
        ),
        "predictor-rejected": _type(
            502,
            "The model server refused the request",
            "The operator should compare the model's profile with the model's signature.",
        ),
        "model-version-gone": _type(
            409,
            "The model version is no longer served",
            "Submit the job again without `version`, or with one that is served now.",
        ),
        "bad-model-output": _type(
            502,
            "The model's output cannot be used",
            "The operator should check the model and the `activation` of its profile.",
        ),
        "worker-lost": _type(
            500,
            "The workers that took the job ended before it did",
            "Submit it once more. If it fails again, the operator should see to its memory.",
        ),
        "timed-out": _type(
            504, "The job took too long", "Ask for fewer samples, or have the limit raised."
        ),
        "image-too-uniform": _type(
            422,
            "The image has fewer than two segments",
            "Use another segmentation, for instance `grid`, or more segments.",
        ),
    }
)


def problem(
    slug: str,
    *,
    detail: str,
    status: int | None = None,
    instance: str | None = None,
    prefix: str,
) -> Problem:
    """Problem details (RFC 9457) of a type in ``PROBLEMS``."""
    kind = PROBLEMS[slug]
    body: Problem = {
        "type": problem_path(slug, prefix=prefix),
        "title": kind.title,
        "status": kind.status if status is None else status,
        "detail": detail,
    }
    if instance is not None:
        body["instance"] = instance
    return body
