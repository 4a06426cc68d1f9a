"""Accepts a request once, however often it is sent under one idempotency key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256

import structlog

from web.answers import as_json
from web.errors import MalformedRequest
from web.job_view import job_view
from web.parsing import FILES, Submission
from web.paths import path_prefix
from web.ports import Reservations
from web.submit import Submitter
from worker.jobs.errors import JobsError
from worker.jobs.idempotency import Answered, Reservation
from worker.jobs.job import JobRef

HEADER = "Idempotency-Key"
_MAX_KEY = 255
_log = structlog.get_logger("web.acceptance")


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """A job that was accepted, and the body of the 202 that says so.

    Attributes
    ----------
    is_replay : bool
        Whether it was accepted by an earlier request.
    """

    job_id: str
    body: bytes
    is_replay: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """Accepts requests."""

    submitter: Submitter
    reservations: Reservations

    def accept(
        self, submission: Submission, *, tenant: str, key: str | None, traceparent: str | None
    ) -> Accepted:
        """Accept a request, or give the answer again that it got when it came first.

        A request that is refused does not use its key up. The trace of the first is the job's.

        Raises
        ------
        AnotherRequest, StillCreating, ErasedJob
            If the key stands for another request, for one that is being served, or for a job that
            has been erased.
        RequestError, worker.images.ImageError, worker.jobs.errors.JobsError
            What ``Submitter.submit`` raises.
        """
        ref = JobRef.new(tenant)
        if key is None:
            return self._accept(submission, ref, traceparent)
        found = self.reservations.reserve(ref, key=key, fingerprint=fingerprint(submission))
        if isinstance(found, Answered):
            return Accepted(job_id=found.job.id, body=found.answer, is_replay=True)
        try:
            accepted = self._accept(submission, found.job, traceparent)
        except Exception:
            self._release(found)
            raise
        self._keep(found, accepted)
        return accepted

    def _accept(self, submission: Submission, ref: JobRef, traceparent: str | None) -> Accepted:
        job = self.submitter.submit(submission, ref=ref, traceparent=traceparent)
        return Accepted(job_id=job.ref.id, body=as_json(job_view(job, prefix=path_prefix())))

    def _keep(self, reservation: Reservation, accepted: Accepted) -> None:
        try:
            self.reservations.keep(reservation, accepted.body)
        except JobsError as error:
            # The job is accepted. A repetition will find the reservation, and make the same job.
            _log.warning("an answer could not be kept", job=accepted.job_id, error=str(error))

    def _release(self, reservation: Reservation) -> None:
        try:
            self.reservations.release(reservation)
        except JobsError as error:
            # It is good for the same request again after a while.
            _log.warning("a key could not be released", error=str(error))


def checked_key(key: str | None) -> str | None:
    """Return the client's key, if there is one.

    Raises
    ------
    MalformedRequest
        If it is empty, too long, or not plain text.
    """
    if key is not None and not (0 < len(key) <= _MAX_KEY and key.isascii() and key.isprintable()):
        raise MalformedRequest(
            f"The header {HEADER} must hold 1 to {_MAX_KEY} printable ASCII characters."
        )
    return key


def fingerprint(submission: Submission) -> str:
    """Digest of all that a request asks for; what is said and what is left to its default agree."""
    fields = submission.fields.model_dump(
        mode="json", exclude=set(FILES), exclude_defaults=True, by_alias=True
    )
    parts = [
        json.dumps(fields, sort_keys=True, separators=(",", ":")),
        "text" if submission.is_text else "typed",
        *(
            "none" if data is None else sha256(data).hexdigest()
            for data in (submission.image, submission.segments)
        ),
    ]
    return sha256("\n".join(parts).encode()).hexdigest()
