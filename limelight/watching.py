"""Following a job: by server-sent events where it links to them, else by polling."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from http import HTTPStatus

import httpx

from limelight.calls import Call, own_path
from limelight.core import Core
from limelight.errors import WaitedTooLong
from limelight.events import MEDIA_TYPE, EventParser, told
from limelight.models import Job

# The service sends a comment every 15 s, so a longer silence is a lost connection.
SILENCE_S = 45.0
RECONNECT_S = 1.0
_MAX_FRUITLESS = 3


async def watch(core: Core, job: Job | str, *, timeout_s: float | None) -> AsyncIterator[Job]:
    """Yield the job as it is, then each time something is new, and last as it ended.

    A job that ends without a result is yielded like any other.

    Raises
    ------
    WaitedTooLong
        If it has not ended in time.
    """
    until = None if timeout_s is None else core.port.now() + timeout_s
    known = job if isinstance(job, Job) else await core.get(job)
    yield known
    if known.is_terminal:
        return
    if "events" in known.links:
        # Closed with this generator, so that leaving early also gives the connection back.
        async with aclosing(_listen(core, known, until=until)) as heard:
            async for news in heard:
                known = news
                yield news
        if known.is_terminal:
            return
    left_s = None if until is None else max(0.0, until - core.port.now())
    async for news in core.poll(known, timeout_s=left_s):
        yield news


async def _listen(core: Core, job: Job, *, until: float | None) -> AsyncGenerator[Job, None]:
    """Jobs from the event stream, connecting again where it was left.

    Ends with the terminal job, or early where the stream cannot be had: then polling goes on, and
    says why if there is a reason.
    """
    parser, fruitless = EventParser(), 0
    while fruitless < _MAX_FRUITLESS:
        fruitless += 1
        try:
            async with core.port.stream(_subscription(core, job, parser, until)) as (head, chunks):
                if not _is_stream(head):
                    return
                async for chunk in chunks:
                    for event in parser.feed(chunk):
                        news = told(job, event)
                        if news is None:
                            continue
                        job, fruitless = news, 0
                        if job.succeeded and not job.explanations:
                            # The event was brief; the result stands at the job itself.
                            job = await core.get(job)
                        yield job
                        if job.is_terminal:
                            return
                    _check_time(core, job, until)
        except httpx.TransportError:
            # Connections are lost; the next one resumes after the last event.
            _check_time(core, job, until)
        parser.reconnect()
        pause_s = RECONNECT_S if parser.retry_s is None else parser.retry_s
        await core.port.sleep(pause_s)
        _check_time(core, job, until)


def _subscription(core: Core, job: Job, parser: EventParser, until: float | None) -> Call:
    headers = {"Accept": MEDIA_TYPE, "Cache-Control": "no-store"}
    if parser.last_id:
        headers["Last-Event-ID"] = parser.last_id
    left_s = SILENCE_S if until is None else max(0.1, until - core.port.now())
    return Call(
        method="GET",
        path=own_path(job.links["events"]),
        headers=headers,
        timeout_s=min(SILENCE_S, left_s),
    )


def _is_stream(head: httpx.Response) -> bool:
    kind = head.headers.get("Content-Type", "")
    # 204 says that nothing will follow.
    return head.status_code == HTTPStatus.OK and kind.startswith(MEDIA_TYPE)


def _check_time(core: Core, job: Job, until: float | None) -> None:
    if until is not None and core.port.now() >= until:
        raise WaitedTooLong(job)
