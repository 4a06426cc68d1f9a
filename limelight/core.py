"""What both clients do, written once over a ``Port``: calls, retries, waiting, paging."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx

from limelight.calls import (
    JOBS,
    MODELS,
    Call,
    ImageSource,
    JobFields,
    get,
    job_path,
    model_path,
    own_path,
    submission,
    webhook_path,
)
from limelight.deliveries import DeliveryLog
from limelight.errors import (
    BadAnswer,
    Conflict,
    LimelightError,
    NotFound,
    NotMade,
    ServiceUnreachable,
    WaitedTooLong,
    failure,
    refusal,
)
from limelight.evidence import Attributions
from limelight.models import Job, Model
from limelight.ports import Port
from limelight.problems import Problem
from limelight.retry import RETRIED_STATUSES, RetryPolicy, read_retry_after
from limelight.settings import WITH_CREDENTIALS

POLL_S = 1.0
_NOT_MODIFIED = 304
_CONFLICT = 409


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """An answer, and at which try it came."""

    response: httpx.Response
    attempt: int

    def json(self) -> Any:
        """Parse the body; raises BadAnswer if it is not JSON."""
        try:
            return self.response.json()
        except ValueError as error:
            raise BadAnswer(
                f"{self.response.url} answered with something other than JSON. "
                "Is this the address of a Limelight service?"
            ) from error

    def job(self) -> Job:
        """Read the job, and when the service wants to be asked for it again."""
        return replace(Job.from_json(self.json()), retry_after_s=retry_after_of(self.response))

    def retry_after_s(self, *, otherwise: float) -> float:
        """Seconds until the next poll."""
        asked = retry_after_of(self.response)
        return otherwise if asked is None else asked


class Core:
    """The client without its input and output.

    Parameters
    ----------
    port : Port
    retry : RetryPolicy
    """

    def __init__(self, port: Port, *, retry: RetryPolicy) -> None:
        self.port = port
        self._retry = retry

    async def submit(self, image: ImageSource, fields: JobFields) -> Job:
        """Submit once, however often it has to be sent: all tries carry one idempotency key."""
        # 409 says that an earlier try with this key is still being worked on.
        answered = await self.call(submission(image, fields), retried={_CONFLICT})
        return answered.job()

    async def get(self, job: Job | str) -> Job:
        """Ask for a job as it is now."""
        return (await self.call(get(job_path(id_of(job))))).job()

    async def poll(self, job: Job | str, *, timeout_s: float | None) -> AsyncIterator[Job]:
        """Poll as often as the service allows; each job that differs from the last, to its end."""
        until = None if timeout_s is None else self.port.now() + timeout_s
        known, tag, pause_s = None, "", 0.0
        if isinstance(job, Job):
            known, pause_s = job, job.retry_after_s or 0.0
        while known is None or not known.is_terminal:
            if known is not None:
                await self._pause(pause_s, until=until, job=known)
            call = get(job_path(id_of(job)), **({"If-None-Match": tag} if tag else {}))
            answered = await self.call(call)
            pause_s = answered.retry_after_s(otherwise=POLL_S)
            if known is None or answered.response.status_code != _NOT_MODIFIED:
                tag = answered.response.headers.get("ETag", "")
                news = answered.job()
                if known is None or news.raw != known.raw:
                    yield news
                known = news

    async def wait(self, job: Job | str, *, timeout_s: float | None) -> Job:
        """Poll until the job has ended."""
        async for told in self.poll(job, timeout_s=timeout_s):
            job = told
        return succeeded(job if isinstance(job, Job) else await self.get(job))

    async def jobs(
        self, *, status: str | None, model: str | None, page_size: int | None
    ) -> AsyncIterator[Job]:
        """List jobs, newest first, page by page as they are asked for."""
        asked = {
            "status": status,
            "model": model,
            "limit": None if page_size is None else str(page_size),
        }
        params = {name: value for name, value in asked.items() if value is not None}
        while True:
            page = (await self.call(replace(get(JOBS), params=params))).json()
            for item in _member(page, "explanations"):
                yield Job.from_json(item)
            cursor = page.get("next")
            if cursor is None:
                return
            if cursor == params.get("cursor"):
                raise BadAnswer("The service gave the same page of jobs twice.")
            params["cursor"] = str(cursor)

    async def cancel(self, job: Job | str) -> Job:
        """Have a job stopped at its next batch."""
        call = Call(method="POST", path=f"{job_path(id_of(job))}/cancel")
        try:
            answered = await self.call(call)
        except Conflict as conflict:
            if conflict.attempt > 1:
                # An earlier try whose answer was lost may have been the one that canceled it.
                ended = await self.get(job)
                if ended.status == "canceled":
                    return ended
            raise
        return answered.job()

    async def delete(self, job: Job | str) -> None:
        """Erase a job, its image and its pictures."""
        try:
            await self.call(Call(method="DELETE", path=job_path(id_of(job))))
        except NotFound as missing:
            if missing.attempt == 1:
                raise
            # An earlier try, whose answer was lost, has erased it.

    async def overlay(self, job: Job | str, class_index: int | None, style: str | None) -> bytes:
        """Fetch a picture; the first class and the first style where none is named."""
        if not isinstance(job, Job) or not job.explanations:
            # Lists show jobs without their results.
            job = await self.get(job)
        job = succeeded(job)
        for explanation in job.explanations:
            if class_index in (None, explanation.class_index):
                for made, link in explanation.overlays.items():
                    if style in (None, made):
                        return await self.fetch(link)
        raise NotMade(f"This picture was not made. Those that were: {', '.join(_made(job))}.")

    async def fetch(self, link: str) -> bytes:
        """Fetch what a link of an answer leads to."""
        return (await self.call(get(own_path(link)))).response.content

    async def attributions(self, job: Job | str) -> Attributions:
        """Fetch all attributions of a job."""
        answered = await self.call(get(f"{job_path(id_of(job))}/attributions.json"))
        return Attributions.from_json(answered.json())

    async def deliveries(self, job: Job | str) -> DeliveryLog:
        """Show what a job's webhook was told."""
        return DeliveryLog.from_json((await self.call(get(webhook_path(id_of(job))))).json())

    async def redeliver(self, job: Job | str) -> DeliveryLog:
        """Tell the webhook the latest event once more; the log as it is then."""
        call = Call(method="POST", path=f"{webhook_path(id_of(job))}/redeliver")
        return DeliveryLog.from_json((await self.call(call)).json())

    async def models(self) -> list[Model]:
        """List the configured models."""
        page = (await self.call(get(MODELS))).json()
        return [Model.from_json(item) for item in _member(page, "models")]

    async def model(self, name: str) -> Model:
        """Show a model with its class names."""
        return Model.from_json((await self.call(get(model_path(name)))).json())

    async def call(self, call: Call, *, retried: set[int] | None = None) -> Answered:
        """Send a call, again where that may help, until the deadline of the retries.

        Raises
        ------
        LimelightError
            The last failure; its ``attempt`` says at which try.
        """
        until = self.port.now() + self._retry.deadline_s
        for attempt in itertools.count(1):
            try:
                response = await self.port.send(call)
            except httpx.TransportError as lost:
                error: LimelightError = unreachable(call, lost)
                wait_s, is_final = None, False
            else:
                if response.is_success or response.status_code == _NOT_MODIFIED:
                    return Answered(response=response, attempt=attempt)
                error, wait_s = refused(response), retry_after_of(response)
                is_final = response.status_code not in RETRIED_STATUSES | (retried or set())
            delay_s = self._retry.delay_s(attempt, retry_after_s=wait_s)
            if is_final or self.port.now() + delay_s > until:
                error.attempt = attempt
                raise error
            await self.port.sleep(delay_s)
        raise AssertionError("the count of attempts has no end")

    async def _pause(self, seconds: float, *, until: float | None, job: Job) -> None:
        """Wait for the next poll, unless it would come too late."""
        if until is not None and self.port.now() + seconds > until:
            raise WaitedTooLong(job)
        await self.port.sleep(seconds)


def id_of(job: Job | str) -> str:
    """Id of a job that was given as a job or by its id."""
    return job.id if isinstance(job, Job) else job


def succeeded(job: Job) -> Job:
    """Return a job that has a result; raises JobFailed for one that ended without."""
    if job.is_terminal and not job.succeeded:
        raise failure(job)
    return job


def refused(response: httpx.Response) -> LimelightError:
    """Make the exception of an answer that is not a success."""
    status = response.status_code
    if response.is_redirect:
        place = response.headers.get("Location", "another place")[:200]
        return BadAnswer(f"{response.url} answered with a redirect to {place}, not followed.")
    try:
        document = json.loads(response.content)
    except ValueError:
        document = None
    if not isinstance(document, Mapping):
        title = f"{status} {response.reason_phrase}".strip()
        if "basic" in response.headers.get("WWW-Authenticate", "").lower():
            title += f": a proxy before the service wants credentials, {WITH_CREDENTIALS}"
        document = {"title": title}
    problem = Problem.from_json(document, status=status)
    return refusal(problem, retry_after_s=retry_after_of(response))


def unreachable(call: Call, lost: httpx.TransportError) -> ServiceUnreachable:
    """Make the exception of a call without an answer."""
    why = str(lost) or type(lost).__name__
    error = ServiceUnreachable(f"No answer to {call}: {why}.")
    error.__cause__ = lost
    return error


def retry_after_of(response: httpx.Response) -> float | None:
    """Seconds that an answer asks to wait."""
    return read_retry_after(response.headers.get("Retry-After"), now=datetime.now(UTC))


def _member(page: Any, name: str) -> list[Any]:
    found = page.get(name) if isinstance(page, Mapping) else None
    if not isinstance(found, list):
        raise BadAnswer(f"The service did not answer with a list of {name}.")
    return found


def _made(job: Job) -> list[str]:
    names = [f"{item.class_index} {style}" for item in job.explanations for style in item.overlays]
    return names or ["none"]
