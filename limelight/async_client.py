"""The client for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Self, Unpack

import httpx

from limelight.calls import ImageSource, JobFields, job_path
from limelight.client import TIMEOUT_S
from limelight.core import Core, id_of
from limelight.deliveries import DeliveryLog
from limelight.evidence import Attributions
from limelight.models import Job, Model
from limelight.ports import AsyncPort
from limelight.retry import RetryPolicy
from limelight.settings import Headers, settings
from limelight.watching import watch


class AsyncClient:
    """The service at one address, for asyncio. Methods and parameters are those of ``Client``.

    Examples
    --------
    >>> async with AsyncClient() as client:  # doctest: +SKIP
    ...     job = await client.submit("cat.jpg")
    ...     async for job in client.watch(job):
    ...         print(job.progress)
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        headers: Headers | None = None,
        timeout_s: float = TIMEOUT_S,
        retry: RetryPolicy | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        found = settings(url, api_key, headers=headers)
        http = httpx.AsyncClient(
            base_url=found.url,
            headers=found.headers,
            timeout=timeout_s,
            transport=transport,
            follow_redirects=False,
        )
        self.url = found.url
        self._http = http
        self._core = Core(AsyncPort(http, now=now, sleep=sleep), retry=retry or RetryPolicy())

    async def __aenter__(self) -> Self:
        """Keep connections open until the block ends."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close them."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def submit(self, image: ImageSource, **fields: Unpack[JobFields]) -> Job:
        """Submit an image; the job as it was accepted."""
        return await self._core.submit(image, fields)

    async def explain(
        self, image: ImageSource, *, timeout_s: float | None = None, **fields: Unpack[JobFields]
    ) -> Job:
        """Submit an image and wait; the job with its result."""
        return await self.wait(await self.submit(image, **fields), timeout_s=timeout_s)

    async def get(self, job: Job | str) -> Job:
        """Ask for a job as it is now."""
        return await self._core.get(job)

    async def wait(self, job: Job | str, *, timeout_s: float | None = None) -> Job:
        """Poll until the job has succeeded; raises JobFailed or WaitedTooLong."""
        return await self._core.wait(job, timeout_s=timeout_s)

    def watch(self, job: Job | str, *, timeout_s: float | None = None) -> AsyncIterator[Job]:
        """Yield the job now, whenever something is new, and last as it ended."""
        return watch(self._core, job, timeout_s=timeout_s)

    def jobs(
        self, *, status: str | None = None, model: str | None = None, page_size: int | None = None
    ) -> AsyncIterator[Job]:
        """List jobs, newest first; pages are fetched as they are needed."""
        return self._core.jobs(status=status, model=model, page_size=page_size)

    async def cancel(self, job: Job | str) -> Job:
        """Have a job stopped; raises Conflict if it has ended already."""
        return await self._core.cancel(job)

    async def delete(self, job: Job | str) -> None:
        """Erase a job, its image and its pictures."""
        await self._core.delete(job)

    async def overlay(
        self, job: Job | str, class_index: int | None = None, style: str | None = None
    ) -> bytes:
        """Fetch a picture; raises NotMade if there is no such one."""
        return await self._core.overlay(job, class_index, style)

    async def attributions(self, job: Job | str) -> Attributions:
        """Fetch all attributions, standard errors and areas."""
        return await self._core.attributions(job)

    async def segments(self, job: Job | str) -> bytes:
        """Fetch the label map: a 16 bit PNG of the upload's size."""
        return await self.fetch(f"{job_path(id_of(job))}/segments.png")

    async def image(self, job: Job | str) -> bytes:
        """Fetch the upload as it came."""
        return await self.fetch(f"{job_path(id_of(job))}/image")

    async def fetch(self, link: str) -> bytes:
        """Fetch what a link of a job leads to."""
        return await self._core.fetch(link)

    async def deliveries(self, job: Job | str) -> DeliveryLog:
        """Show what the job's webhook was told, and every try; NotFound if it has none."""
        return await self._core.deliveries(job)

    async def redeliver(self, job: Job | str) -> DeliveryLog:
        """Have the latest event told once more; raises Conflict if there is nothing to tell."""
        return await self._core.redeliver(job)

    async def models(self) -> list[Model]:
        """List the configured models."""
        return await self._core.models()

    async def model(self, name: str) -> Model:
        """Show a model with its class names."""
        return await self._core.model(name)
