"""The synchronous client."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Self, TypeVar, Unpack

import httpx

from limelight.calls import ImageSource, JobFields, job_path
from limelight.core import Core, id_of
from limelight.deliveries import DeliveryLog
from limelight.evidence import Attributions
from limelight.models import Job, Model
from limelight.ports import SyncPort, finish
from limelight.retry import RetryPolicy
from limelight.settings import Headers, settings
from limelight.watching import watch

TIMEOUT_S = 30.0
T = TypeVar("T")


class Client:
    """The service at one address. Safe to share between threads.

    Parameters
    ----------
    url : str, optional
        Address of the service; else the variable ``LIMELIGHT_URL``, else the service on this
        machine (``http://127.0.0.1:8000``). It may hold the Basic credentials that a proxy before
        the service wants: ``https://user:password@host``.
    api_key : str, optional
        Else the variable ``LIMELIGHT_API_KEY``, else none.
    headers : mapping or sequence of pairs, optional
        Sent with every call, such as a proxy asks for; beside those of ``LIMELIGHT_HEADERS``, one
        ``Name: value`` a line. Where they hold ``Authorization``, the key goes into a header of
        its own.
    timeout_s : float
        Longest silence of one try, while connecting, sending or reading.
    retry : RetryPolicy, optional
    transport : httpx.BaseTransport, optional
        How bytes travel; for tests and unusual networks.
    now, sleep : callable
        The clock by which it waits.

    Raises
    ------
    BadSettings
        If the address, the key or a header cannot be one.

    Examples
    --------
    >>> with Client() as client:  # doctest: +SKIP
    ...     job = client.explain("cat.jpg", classes=3)
    ...     picture = client.overlay(job, 285, "signed")
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        headers: Headers | None = None,
        timeout_s: float = TIMEOUT_S,
        retry: RetryPolicy | None = None,
        transport: httpx.BaseTransport | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        found = settings(url, api_key, headers=headers)
        # A redirect is not followed: the key goes to the address that was named, and nowhere else.
        http = httpx.Client(
            base_url=found.url,
            headers=found.headers,
            timeout=timeout_s,
            transport=transport,
            follow_redirects=False,
        )
        self.url = found.url
        self._http = http
        self._core = Core(SyncPort(http, now=now, sleep=sleep), retry=retry or RetryPolicy())

    def __enter__(self) -> Self:
        """Keep connections open until the block ends."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def submit(self, image: ImageSource, **fields: Unpack[JobFields]) -> Job:
        """Submit an image; the job as it was accepted.

        Sent again after a lost connection or when the service is busy, always with the same
        idempotency key, so that there is one job however often it was sent.

        Parameters
        ----------
        image : bytes, path or binary file
        **fields
            See ``limelight.JobFields``.

        Raises
        ------
        Refused
            As the kind that the service names; ``fields`` has the fields to correct.
        ServiceUnreachable
        OSError
            If the image cannot be read.
        """
        return finish(self._core.submit(image, fields))

    def explain(
        self, image: ImageSource, *, timeout_s: float | None = None, **fields: Unpack[JobFields]
    ) -> Job:
        """Submit an image and wait; the job with its result. See ``submit`` and ``wait``."""
        return self.wait(self.submit(image, **fields), timeout_s=timeout_s)

    def get(self, job: Job | str) -> Job:
        """Ask for a job as it is now."""
        return finish(self._core.get(job))

    def wait(self, job: Job | str, *, timeout_s: float | None = None) -> Job:
        """Poll, as often as the service asks for, until the job has succeeded.

        Raises
        ------
        JobFailed
            If it ended otherwise; also as JobCanceled and JobExpired.
        WaitedTooLong
            If it has not ended in time. It goes on.
        """
        return finish(self._core.wait(job, timeout_s=timeout_s))

    def watch(self, job: Job | str, *, timeout_s: float | None = None) -> Iterator[Job]:
        """Yield the job now, whenever something is new, and last as it ended, however it did.

        By server-sent events where the service has them for the job, else by polling.
        """
        return _each(watch(self._core, job, timeout_s=timeout_s))

    def jobs(
        self, *, status: str | None = None, model: str | None = None, page_size: int | None = None
    ) -> Iterator[Job]:
        """List jobs, newest first; pages are fetched as they are needed."""
        return _each(self._core.jobs(status=status, model=model, page_size=page_size))

    def cancel(self, job: Job | str) -> Job:
        """Have a job stopped; raises Conflict if it has ended already."""
        return finish(self._core.cancel(job))

    def delete(self, job: Job | str) -> None:
        """Erase a job, its image and its pictures."""
        finish(self._core.delete(job))

    def overlay(
        self, job: Job | str, class_index: int | None = None, style: str | None = None
    ) -> bytes:
        """Fetch a picture as a PNG or WebP file; the first class and style if not named.

        Raises
        ------
        NotMade
            If there is no such picture.
        JobFailed
            If the job has no result.
        """
        return finish(self._core.overlay(job, class_index, style))

    def attributions(self, job: Job | str) -> Attributions:
        """Fetch all attributions, standard errors and areas."""
        return finish(self._core.attributions(job))

    def segments(self, job: Job | str) -> bytes:
        """Fetch the label map: a 16 bit PNG of the upload's size; 65535 was not seen."""
        return self.fetch(f"{job_path(id_of(job))}/segments.png")

    def image(self, job: Job | str) -> bytes:
        """Fetch the upload as it came."""
        return self.fetch(f"{job_path(id_of(job))}/image")

    def fetch(self, link: str) -> bytes:
        """Fetch what a link of a job leads to."""
        return finish(self._core.fetch(link))

    def deliveries(self, job: Job | str) -> DeliveryLog:
        """Show what the job's webhook was told, and every try; NotFound if it has none."""
        return finish(self._core.deliveries(job))

    def redeliver(self, job: Job | str) -> DeliveryLog:
        """Have the latest event told once more, under the same id; the log as it is then.

        Raises
        ------
        Conflict
            If there is nothing to tell.
        """
        return finish(self._core.redeliver(job))

    def models(self) -> list[Model]:
        """List the configured models."""
        return finish(self._core.models())

    def model(self, name: str) -> Model:
        """Show a model with its class names."""
        return finish(self._core.model(name))


def _each(items: AsyncIterator[T]) -> Iterator[T]:
    """Iterate without an event loop, and close what the iterator holds when left early."""
    try:
        while True:
            try:
                item = finish(_next(items))
            except StopAsyncIteration:
                return
            yield item
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            finish(close())


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items)
