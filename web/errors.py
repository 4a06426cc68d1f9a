"""The one place where an exception becomes an HTTP answer.

Views and use cases raise; ``TABLE`` says which status and problem type that is. An exception that
is not in it is a fault of ours: it is logged with its trace, and the client learns nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self, cast
from urllib.parse import quote

import redis
import structlog
from flask import Flask, Response, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException

from web.documents import Problem
from web.paths import path_prefix
from web.problems import MEDIA_TYPE, PROBLEMS, problem
from worker import images
from worker.jobs import errors as jobs
from worker.jobs.redis_errors import store_error
from worker.webhooks.outbox import NothingToRedeliver

RETRY_AFTER_S = 5
# Jobs take seconds: a full queue has room again about as soon.
QUEUE_RETRY_AFTER_S = 10
_MAX_INSTANCE = 200
_MOST_NAMED = 100
_log = structlog.get_logger("web.errors")


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldError:
    """One bad field: where it is (JSON pointer, RFC 6901) and what is wrong with it."""

    pointer: str
    detail: str


class RequestError(Exception):
    """A request that cannot be served as it is. The message is for the client.

    Attributes
    ----------
    fields : tuple of FieldError
        The fields to correct, where single ones can be named.
    """

    def __init__(self, detail: str, fields: Iterable[FieldError] = ()) -> None:
        super().__init__(detail)
        self.fields = tuple(fields)


class MalformedRequest(RequestError):
    """The body cannot be read."""


class InvalidRequest(RequestError):
    """The body can be read and asks for something that it may not.

    Of very many bad fields the first are named: nobody reads a list of thousands.
    """

    def __init__(self, fields: Sequence[FieldError]) -> None:
        first = fields[0]
        more = f" (and {len(fields) - 1} more)" if len(fields) > 1 else ""
        detail = f"{first.pointer or 'The request'}: {first.detail}{more}"
        super().__init__(detail, fields[:_MOST_NAMED])

    @classmethod
    def at(cls, pointer: str, detail: str) -> Self:
        """One bad field."""
        return cls([FieldError(pointer=pointer, detail=detail)])


class BadWebhookUrl(InvalidRequest):
    """A webhook may not go there."""


class ImageTooLarge(InvalidRequest):
    """What an image's URL leads to has more bytes than an image may have."""


class UnsupportedContentType(RequestError):
    """Neither multipart/form-data nor application/json."""


class UnsupportedCoding(RequestError):
    """The body is compressed."""

    def __init__(self, header: str, coding: str) -> None:
        super().__init__(
            f"The body has the {header} {coding[:80]!r}. Send it as it is: images are compressed "
            "already."
        )


class UnknownModel(RequestError):
    """No such model, or none was named where there are several."""


class UnknownClass(RequestError):
    """No such class in the model."""


class NotFound(RequestError):
    """Nothing there, or not made."""


class Unauthorized(RequestError):
    """No key, or one that is not good; which of them is not told.

    Parameters
    ----------
    foreign : bool
        Whether the header Authorization holds what can be no key of ours, whoever sent it.
    """

    def __init__(self, *, foreign: bool = False) -> None:
        detail = "This needs an API key: send it in the header Authorization: Bearer ..."
        if foreign:
            detail = (
                "The header Authorization holds no API key of this service (Bearer ll_...). If it "
                "belongs to a proxy, send the key in the header Limelight-Api-Key."
            )
        super().__init__(detail)


class UnknownHost(RequestError):
    """The request is for a host that is not answered for."""

    def __init__(self) -> None:
        super().__init__(
            "The Host header names a host that this server does not answer for. The operator lists "
            "its names in LIMELIGHT_TRUSTED_HOSTS."
        )


class Forbidden(RequestError):
    """The key is good, and does not allow this."""


class TooManyStreams(RequestError):
    """As many event streams are open in this process as may be."""

    def __init__(self) -> None:
        super().__init__("Too many event streams are open. Poll the job, or try again later.")


class TooManyFetches(RequestError):
    """As many images are being fetched in this process as may be."""

    def __init__(self) -> None:
        super().__init__("Too many images are being fetched. Send the image itself, or try later.")


class NoModels(RequestError):
    """No worker has published any model."""


class NotReady(RequestError):
    """Redis takes no jobs now. The message is for the operator, who asks for the health."""


def pointer_to(path: Iterable[str | int]) -> str:
    """JSON pointer (RFC 6901) to a place in a document."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """How one kind of exception is answered.

    Attributes
    ----------
    slug : str
        The problem type.
    status : int or None
        Where it differs from the type's own.
    detail : str or None
        Said instead of the exception's message, which then may hold what is not for the client.
    retry_after_s : int or None
        Value of the Retry-After header.
    headers : mapping of str to str
        Further headers of the answer.
    """

    slug: str
    status: int | None = None
    detail: str | None = None
    retry_after_s: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


_CUT_SHORT = "The request is broken or was cut short."
_STORE_DOWN = "The job store cannot be reached. Nothing was accepted; try again."
_STORE_REFUSES = "The job store takes nothing at the moment. Nothing was accepted; try again."

TABLE: dict[type[Exception], Rule] = {
    MalformedRequest: Rule(slug="invalid-request", status=400),
    InvalidRequest: Rule(slug="invalid-request"),
    # gunicorn finds fault with a chunk only when the body is read.
    ParseException: Rule(slug="invalid-request", status=400, detail=_CUT_SHORT),
    BadWebhookUrl: Rule(slug="bad-webhook-url"),
    ImageTooLarge: Rule(slug="payload-too-large"),
    UnsupportedContentType: Rule(slug="unsupported-media-type"),
    UnsupportedCoding: Rule(slug="unsupported-media-type", headers={"Accept-Encoding": "identity"}),
    UnknownModel: Rule(slug="unknown-model"),
    UnknownClass: Rule(slug="unknown-class"),
    NotFound: Rule(slug="not-found"),
    Unauthorized: Rule(
        slug="unauthorized", headers={"WWW-Authenticate": 'Bearer realm="limelight"'}
    ),
    UnknownHost: Rule(slug="invalid-request", status=400),
    Forbidden: Rule(slug="forbidden"),
    NoModels: Rule(slug="unavailable", retry_after_s=RETRY_AFTER_S),
    NotReady: Rule(slug="unavailable", retry_after_s=RETRY_AFTER_S),
    TooManyStreams: Rule(slug="unavailable", retry_after_s=RETRY_AFTER_S),
    TooManyFetches: Rule(slug="unavailable", retry_after_s=RETRY_AFTER_S),
    images.EmptyImage: Rule(slug="invalid-image"),
    images.InvalidImage: Rule(slug="invalid-image"),
    images.UnsupportedImage: Rule(slug="unsupported-image"),
    images.TooManyPixels: Rule(slug="too-many-pixels"),
    jobs.UnknownJob: Rule(slug="not-found", detail="There is no job with this id."),
    jobs.ErasedJob: Rule(slug="gone", detail="Its retention has passed, or it was deleted."),
    jobs.JobEnded: Rule(slug="conflict", detail="The job has ended, so it cannot be canceled."),
    jobs.AnotherRequest: Rule(
        slug="idempotency-mismatch",
        detail="This Idempotency-Key was sent with another request within the last 24 hours.",
    ),
    jobs.StillCreating: Rule(
        slug="conflict",
        detail="A request with this Idempotency-Key is being served at this moment.",
        retry_after_s=1,
    ),
    NothingToRedeliver: Rule(
        slug="conflict",
        detail="There is nothing to tell: the job has no webhook, or nothing has happened yet that "
        "it is to be told.",
    ),
    jobs.BlobMissing: Rule(slug="not-found", detail="This is no longer stored."),
    jobs.StoreUnavailable: Rule(
        slug="unavailable", detail=_STORE_DOWN, retry_after_s=RETRY_AFTER_S
    ),
    jobs.QueueUnavailable: Rule(
        slug="unavailable", detail=_STORE_DOWN, retry_after_s=RETRY_AFTER_S
    ),
    jobs.StoreRefuses: Rule(slug="unavailable", detail=_STORE_REFUSES, retry_after_s=RETRY_AFTER_S),
    jobs.JobTooLarge: Rule(
        slug="payload-too-large", detail="The image is larger than what one job may keep."
    ),
    jobs.QueueFull: Rule(
        slug="queue-full",
        detail="As many of your jobs are waiting or running as may be. Wait until some have ended.",
        retry_after_s=QUEUE_RETRY_AFTER_S,
    ),
    jobs.StoreFull: Rule(
        slug="queue-full",
        detail="The job store is nearly full, so no new job is accepted for now.",
        retry_after_s=RETRY_AFTER_S,
    ),
}

# What Flask and Werkzeug raise themselves, by status.
_BY_STATUS: dict[int, Rule] = {
    429: Rule(
        slug="rate-limited",
        detail="The rate limit is reached. Reading does not count towards it.",
    ),
    400: Rule(slug="invalid-request", detail=_CUT_SHORT),
    404: Rule(slug="not-found", detail="There is nothing at this path."),
    405: Rule(slug="method-not-allowed", detail="This path does not answer to this method."),
    413: Rule(
        slug="payload-too-large",
        detail="The body, one of its fields, or the number of its parts is over the limit.",
    ),
}


ErrorPage = Callable[[Problem], Response | None]


def register(app: Flask, *, page: ErrorPage) -> None:
    """Answer every exception of the app by problem details.

    Parameters
    ----------
    app : Flask
    page : callable
        Makes a page for people of a problem; None where a program asked.
    """
    app.register_error_handler(Exception, lambda error: _shown(_answer(error), page))


def _shown(answer: Response, page: ErrorPage) -> Response:
    """Show a problem as a page where people asked, the status and the headers as they are."""
    shown = page(json.loads(answer.data)) if answer.content_type == MEDIA_TYPE else None
    if shown is None:
        return answer
    for name, value in answer.headers:
        if name not in ("Content-Type", "Content-Length"):
            shown.headers[name] = value
    shown.status_code = answer.status_code
    return shown


def _answer(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return _answer_http(error)
    if isinstance(error, redis.RedisError):
        # The rate limiter counts in memory while Redis cannot, but of several requests that find
        # it so at the same moment all but one get its error.
        error = store_error(error) or error
    rule = next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), None)
    if rule is None:
        _log.error("request failed", path=request.path, method=request.method, exc_info=error)
        return respond(Rule(slug="internal", detail="The error was logged. It is not your fault."))
    if PROBLEMS[rule.slug].status >= 500:  # noqa: PLR2004
        _log.warning("request refused", path=request.path, reason=rule.slug, error=str(error))
    fields = error.fields if isinstance(error, RequestError) else ()
    return respond(rule, detail=rule.detail or str(error), fields=fields)


def _answer_http(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None or status < 400:  # noqa: PLR2004
        # A redirect to the path as it is written in the routes, for instance.
        return cast("Response", error.get_response(request.environ))
    rule = _BY_STATUS.get(status, Rule(slug="invalid-request" if status < 500 else "internal"))  # noqa: PLR2004
    answer = respond(rule, detail=rule.detail or error.name, status=status)
    for name, value in error.get_headers(request.environ):
        if name.lower() not in ("content-type", "content-length"):
            answer.headers[name] = value
    return answer


def respond(
    rule: Rule,
    *,
    detail: str | None = None,
    status: int | None = None,
    fields: Sequence[FieldError] = (),
) -> Response:
    """Problem details as a response to the current request."""
    path = quote(path_prefix() + request.path)
    body = problem(
        rule.slug,
        detail=detail or rule.detail or "",
        status=status or rule.status,
        instance=path if len(path) <= _MAX_INSTANCE else None,
        prefix=path_prefix(),
    )
    if fields:
        body["errors"] = [{"pointer": field.pointer, "detail": field.detail} for field in fields]
    # Escaped to ASCII: a name echoed from the request may hold what UTF-8 cannot.
    answer = Response(json.dumps(body), status=body["status"], content_type=MEDIA_TYPE)
    answer.headers["Cache-Control"] = "no-store"
    if rule.retry_after_s is not None:
        answer.headers["Retry-After"] = str(rule.retry_after_s)
    answer.headers.extend(rule.headers)
    return answer
