"""What the core needs of the world outside, and the two ways to give it.

The core is written once, as coroutines over a ``Port``. Over an ``AsyncPort`` they wait for the
network as coroutines do. Over a ``SyncPort`` nothing in them ever waits on an event loop: each
``await`` is a blocking call, so that ``finish`` can run a coroutine to its end like a function.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar

import httpx

from limelight.calls import Call

T = TypeVar("T")


class Port(Protocol):
    """The network and the clock."""

    def now(self) -> float:
        """Seconds of a clock that only goes forward."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    async def send(self, call: Call) -> httpx.Response:
        """Send a call; the answer with its body read.

        Raises
        ------
        httpx.TransportError
            If none came.
        """

    def stream(
        self, call: Call
    ) -> AbstractAsyncContextManager[tuple[httpx.Response, AsyncIterator[bytes]]]:
        """Send a call; the answer's head, and its body as it comes."""


class SyncPort:
    """A port whose coroutines never suspend."""

    def __init__(
        self,
        http: httpx.Client,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.http = http
        self.now = now
        self._sleep = sleep

    async def sleep(self, seconds: float) -> None:
        """Block."""
        self._sleep(seconds)

    async def send(self, call: Call) -> httpx.Response:
        """Send and read."""
        return self.http.send(_request(self.http, call))

    @asynccontextmanager
    async def stream(
        self, call: Call
    ) -> AsyncIterator[tuple[httpx.Response, AsyncIterator[bytes]]]:
        """Send and read bit by bit."""
        answer = self.http.send(_request(self.http, call), stream=True)
        try:
            yield answer, _chunks(answer)
        finally:
            answer.close()


class AsyncPort:
    """A port of asyncio."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.http = http
        self.now = now
        self._sleep = sleep

    async def sleep(self, seconds: float) -> None:
        """Let others run."""
        await self._sleep(seconds)

    async def send(self, call: Call) -> httpx.Response:
        """Send and read."""
        return await self.http.send(_request(self.http, call))

    @asynccontextmanager
    async def stream(
        self, call: Call
    ) -> AsyncIterator[tuple[httpx.Response, AsyncIterator[bytes]]]:
        """Send and read bit by bit."""
        answer = await self.http.send(_request(self.http, call), stream=True)
        try:
            yield answer, answer.aiter_bytes()
        finally:
            await answer.aclose()


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine over a ``SyncPort`` to its end.

    Raises
    ------
    RuntimeError
        If it waits for an event loop, which a ``SyncPort`` never does.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError("a coroutine of the synchronous client tried to wait")


async def _chunks(answer: httpx.Response) -> AsyncIterator[bytes]:
    for chunk in answer.iter_bytes():
        yield chunk


def _request(http: httpx.Client | httpx.AsyncClient, call: Call) -> httpx.Request:
    timeout = http.timeout
    if call.timeout_s is not None:
        timeout = httpx.Timeout(
            connect=timeout.connect,
            read=call.timeout_s,
            write=timeout.write,
            pool=timeout.pool,
        )
    # Links of a service that is published below a path have that path already.
    base, path = http.base_url.path, call.path
    if path.startswith(base):
        path = f"/{path.removeprefix(base)}"
    return http.build_request(
        call.method,
        path,
        params=call.params or None,
        headers=call.headers,
        data=call.form or None,
        files=[(name, (filename, data)) for name, filename, data in call.files] or None,
        timeout=timeout,
    )
