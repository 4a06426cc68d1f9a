"""Stores what a job makes while the job makes the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Self

from worker.ports import BlobStore


class Writer:
    """Stores blobs in order in a thread, until its context is left.

    A bucket answers in tens of milliseconds, about what a picture takes to draw. Leaving the
    context waits for what is being stored, so nothing is written once the job is over; when it is
    left by an error, what has not begun is dropped.

    Parameters
    ----------
    blobs : BlobStore
    outlast : callable
        Calls what it is given, again while the store is away.
    checkpoint : callable
        Called before each wait at the end. What it raises ends the waiting as an error does.
    """

    def __init__(
        self,
        blobs: BlobStore,
        *,
        outlast: Callable[[Callable[[], None]], None],
        checkpoint: Callable[[], None],
    ) -> None:
        self._blobs = blobs
        self._outlast = outlast
        self._checkpoint = checkpoint
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._writes: deque[Future[None]] = deque()

    def put(self, key: str, data: bytes) -> None:
        """Have bytes stored.

        Raises
        ------
        Exception
            What storing an earlier blob raised. Leaving the context raises what is left of that.
        """
        while self._writes and self._writes[0].done():
            self._writes.popleft().result()
        self._writes.append(self._thread.submit(self._outlast, partial(self._blobs.put, key, data)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                for write in self._writes:
                    self._checkpoint()
                    write.result()
        finally:
            self._thread.shutdown(wait=True, cancel_futures=True)
