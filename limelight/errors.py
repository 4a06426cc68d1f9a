"""What can go wrong, as a program wants to tell it apart.

Everything is a ``LimelightError``. What the service refused is a ``Refused`` of the kind that its
problem document names; a job that ended without a result is a ``JobFailed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from limelight.problems import FieldError, Problem

if TYPE_CHECKING:
    from limelight.models import Job


class LimelightError(Exception):
    """Anything that this package raises on purpose. The message is for people.

    Attributes
    ----------
    attempt : int
        At which try of the call it was given up.
    """

    attempt: int = 1


class BadSettings(LimelightError, ValueError):
    """An address, key, secret or argument that cannot be used. Nothing was sent."""


class ServiceUnreachable(LimelightError):
    """No answer came within the deadline of the retries."""


class BadAnswer(LimelightError):
    """What answered does not speak this API; the address may be wrong."""


class WaitedTooLong(LimelightError, TimeoutError):
    """The job had not ended when the time given was over; it goes on.

    Attributes
    ----------
    job : Job
        As it was last seen.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(f"The job {job.id} is still {job.status}.")
        self.job = job


class NotMade(LimelightError, LookupError):
    """The job has no such picture. The message names those that it has."""


class WebhookRejected(LimelightError):
    """A callback that is not signed by the secret, too old, or not a callback at all."""


class JobFailed(LimelightError):
    """The job ended without a result.

    Attributes
    ----------
    job : Job
    problem : Problem or None
        Why, where the service told.
    """

    def __init__(self, job: Job) -> None:
        why = f": {job.error}" if job.error is not None else "."
        super().__init__(f"The job {job.id} {self._how}{why}")
        self.job = job
        self.problem = job.error

    _how = "failed"


class JobCanceled(JobFailed):
    """The job was canceled."""

    _how = "was canceled"


class JobExpired(JobFailed):
    """The job's deadline passed before a worker could start it."""

    _how = "expired before it was started"


class Refused(LimelightError):
    """The service refused the request.

    Attributes
    ----------
    problem : Problem
    retry_after_s : float or None
        When to try again, where the service said.
    """

    def __init__(self, problem: Problem, *, retry_after_s: float | None = None) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.retry_after_s = retry_after_s

    @property
    def status(self) -> int:
        """HTTP status."""
        return self.problem.status

    @property
    def fields(self) -> tuple[FieldError, ...]:
        """The fields to correct."""
        return self.problem.errors


class InvalidRequest(Refused):
    """A field that does not exist or has a value that it may not have; see ``fields``."""


class UnknownModel(InvalidRequest):
    """No such model."""


class UnknownClass(InvalidRequest):
    """The model has no such class."""


class BadWebhookUrl(InvalidRequest):
    """The service may not call this address."""


class IdempotencyMismatch(InvalidRequest):
    """The idempotency key was used for another request."""


class ImageRefused(Refused):
    """The image cannot be used: its format, its size in bytes or pixels, or its content."""


class PayloadTooLarge(ImageRefused):
    """More bytes than the service takes."""


class TooManyPixels(ImageRefused):
    """More pixels than the service takes."""


class UnsupportedImage(ImageRefused):
    """Not PNG, JPEG or WebP."""


class InvalidImage(ImageRefused):
    """Empty, damaged, animated, too small or too long."""


class Unauthorized(Refused):
    """No API key, or one that is unknown, revoked or expired."""


class Forbidden(Refused):
    """The key may not do this."""


class NotFound(Refused):
    """No such job or model."""


class Gone(NotFound):
    """The job was erased."""


class Conflict(Refused):
    """The job has ended already, or another request with this key is under way."""


class RateLimited(Refused):
    """Too many requests; see ``retry_after_s``."""


class Unavailable(Refused):
    """The service cannot take this now; see ``retry_after_s``."""


class QueueFull(Unavailable):
    """As many jobs wait as may wait."""


class ServerError(Refused):
    """Something went wrong in the service or before it."""


_BY_SLUG: Mapping[str, type[Refused]] = MappingProxyType(
    {
        "invalid-request": InvalidRequest,
        "unknown-model": UnknownModel,
        "unknown-class": UnknownClass,
        "bad-webhook-url": BadWebhookUrl,
        "idempotency-mismatch": IdempotencyMismatch,
        "payload-too-large": PayloadTooLarge,
        "too-many-pixels": TooManyPixels,
        "unsupported-image": UnsupportedImage,
        "invalid-image": InvalidImage,
        "unauthorized": Unauthorized,
        "forbidden": Forbidden,
        "not-found": NotFound,
        "gone": Gone,
        "conflict": Conflict,
        "rate-limited": RateLimited,
        "queue-full": QueueFull,
        "unavailable": Unavailable,
    }
)
# For what is of a kind that this version does not know, or comes from a proxy without a document.
_BY_STATUS: Mapping[int, type[Refused]] = MappingProxyType(
    {
        400: InvalidRequest,
        401: Unauthorized,
        403: Forbidden,
        404: NotFound,
        409: Conflict,
        410: Gone,
        413: PayloadTooLarge,
        422: InvalidRequest,
        429: RateLimited,
        503: Unavailable,
    }
)
_FIRST_SERVER_ERROR = 500


def refusal(problem: Problem, *, retry_after_s: float | None = None) -> Refused:
    """Make the exception of the kind that a problem document names, or else its status."""
    otherwise = ServerError if problem.status >= _FIRST_SERVER_ERROR else Refused
    kind = _BY_SLUG.get(problem.slug) or _BY_STATUS.get(problem.status, otherwise)
    return kind(problem, retry_after_s=retry_after_s)


def failure(job: Job) -> JobFailed:
    """Make the exception for a job that ended without a result."""
    kinds: dict[str, type[JobFailed]] = {"canceled": JobCanceled, "expired": JobExpired}
    return kinds.get(job.status, JobFailed)(job)
