"""All event streams of a process, served by one thread.

A listener that waits for news would hold one of gunicorn's few threads. So it hands its socket over
to this thread, which waits for all sockets at once and asks Redis for news of all jobs by one
command, several times a second. That costs the same for one listener as for hundreds.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Protocol

import structlog

from web import sse
from web.follower import Follower, Gone, Pace
from worker.jobs.errors import ErasedJob, JobsError, UnknownJob
from worker.jobs.events import Event
from worker.jobs.job import Job, JobRef

_log = structlog.get_logger("web.streams")
# Where an application keeps its streams, for whoever has to close them.
STREAMS = "limelight.streams"
_STOP_S = 5.0
# How long the store is left alone that could not be reached.
_AWAY_S = 1.0


class Following(Protocol):
    """What streams need of the job records."""

    def news(self, after: Mapping[JobRef, str]) -> Mapping[JobRef, list[Event] | None]:
        """Return what happened to each job after an event; None where it is no longer there."""

    def get(self, ref: JobRef) -> Job:
        """Return the job, or raise ``UnknownJob`` or ``ErasedJob``."""


class Streams:
    """The followers of jobs, and the thread that serves them from the first one on.

    Parameters
    ----------
    store : Following
    most : int
        Followers at one time.
    pace : Pace
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        store: Following,
        *,
        most: int,
        pace: Pace | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._store = store
        self._most = most
        self._pace = pace or Pace()
        self._clock = clock
        self._arrivals: deque[Follower] = deque()
        self._followers: set[Follower] = set()
        self._open = 0
        self._asked_at = float("-inf")
        self._lock = threading.Lock()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._wake: socket.socket
        self._woken: socket.socket
        self._selector: selectors.BaseSelector

    @property
    def is_full(self) -> bool:
        """Whether there are as many followers as there may be."""
        return self._open >= self._most

    def add(
        self,
        connection: socket.socket,
        *,
        ref: JobRef,
        after: sse.EventId,
        prefix: str,
        head: bytes = b"",
        chunked: bool = False,
    ) -> None:
        """Take over a connection, and answer on it with what happens to a job.

        Parameters
        ----------
        connection : socket.socket
            Closed by this object, and not to be used by the caller any more.
        after : EventId
            The latest event that the client knows.
        prefix : str
            What the paths in the answer begin with.
        head : bytes
            Sent before anything else, as it is.
        chunked : bool
            Whether the answer goes in chunks.
        """
        now = self._clock()
        follower = Follower(
            connection=connection,
            ref=ref,
            after=after,
            prefix=prefix,
            head=head,
            chunked=chunked,
            opened_at=now,
            wrote_at=now,
        )
        with self._lock:
            if self._stopping:
                connection.close()
                return
            self._open += 1
            self._arrivals.append(follower)
            if self._thread is None:
                self._start()
            self._rouse()

    def close(self) -> None:
        """End all streams as a whole answer ends, so that clients connect elsewhere and go on."""
        with self._lock:
            if self._stopping:
                return
            self._stopping = True
            if self._thread is None:
                return
            self._rouse()
        self._thread.join(timeout=_STOP_S)

    def _start(self) -> None:
        # Not before there is a listener: neither threads nor selectors outlive a fork.
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="streams", daemon=True)
        self._thread.start()

    def _rouse(self) -> None:
        # A byte that is still unread rouses as well as another.
        with suppress(BlockingIOError):
            self._wake.send(b"\0")

    # --- everything below runs in the thread ------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._turn()
            except JobsError as error:
                # Clients keep their connection; they are told what they missed afterwards.
                _log.warning("event streams wait for the store", error=str(error))
                self._asked_at = self._clock() + _AWAY_S
            except Exception:  # noqa: BLE001
                # The boundary of the thread: without it no stream would ever move again.
                _log.exception("event streams were cut by an error")
                self._end(tuple(self._followers))
        self._welcome()
        self._end(tuple(self._followers))
        for follower in tuple(self._followers):
            self._drop(follower)
        self._selector.close()
        self._woken.close()
        self._wake.close()

    def _turn(self) -> None:
        self._welcome()
        self._listen(self._pace.news_s if self._followers else None)
        now = self._clock()
        self._tend(now)
        if self._followers and now - self._asked_at >= self._pace.news_s / 4:
            self._asked_at = now
            self._tell(now)

    def _welcome(self) -> None:
        while self._arrivals:
            follower = self._arrivals.popleft()
            self._followers.add(follower)
            self._selector.register(follower.connection, selectors.EVENT_READ, follower)
            self._attempt(follower, partial(follower.begin, now=self._clock()))

    def _listen(self, timeout_s: float | None) -> None:
        for key, ready in self._selector.select(timeout_s):
            follower: Follower | None = key.data
            if follower is None:
                self._woken.recv(4096)
                continue
            if ready & selectors.EVENT_READ:
                self._attempt(follower, follower.hear)
            if ready & selectors.EVENT_WRITE and follower in self._followers:
                self._attempt(follower, partial(follower.flush, now=self._clock()))

    def _tend(self, now: float) -> None:
        """Send what time alone calls for."""
        for follower in tuple(self._followers):
            stuck_s = 0.0 if follower.stuck_since is None else now - follower.stuck_since
            if stuck_s > self._pace.stuck_s:
                self._drop(follower)
            elif follower.ending:
                continue
            elif now - follower.opened_at > self._pace.lifetime_s:
                self._end([follower])
            elif now - follower.wrote_at >= self._pace.heartbeat_s:
                self._send(follower, sse.HEARTBEAT, now=now)

    def _tell(self, now: float) -> None:
        """Ask for news of all jobs, and pass them on."""
        following: dict[JobRef, list[Follower]] = {}
        for follower in self._followers:
            if not follower.ending:
                following.setdefault(follower.ref, []).append(follower)
        if not following:
            return
        known = {ref: str(min(one.after for one in ones)) for ref, ones in following.items()}
        for ref, events in self._store.news(known).items():
            if events is None:
                # Whether it was erased or lost, the next request is told.
                self._end(following[ref])
                continue
            for event in events:
                self._pass_on(event, following[ref], now=now)

    def _pass_on(self, event: Event, followers: Iterable[Follower], *, now: float) -> None:
        event_id = sse.read_id(event.id)
        waiting = [one for one in followers if one.after < event_id and not one.ending]
        if not waiting:
            return
        try:
            job = self._store.get(waiting[0].ref) if sse.is_last(event) else None
        except (UnknownJob, ErasedJob):
            self._end(waiting)
            return
        messages: dict[str, bytes] = {}
        for follower in waiting:
            prefix = follower.prefix
            if prefix not in messages:
                messages[prefix] = sse.message(event, job, prefix=prefix)
            follower.after = event_id
            self._send(follower, messages[prefix], now=now)
        if sse.is_last(event):
            self._end(waiting)

    def _send(self, follower: Follower, data: bytes, *, now: float) -> None:
        self._attempt(follower, partial(follower.send, data, now=now))

    def _end(self, followers: Iterable[Follower]) -> None:
        for follower in followers:
            if follower in self._followers:
                self._attempt(follower, partial(follower.end, now=self._clock()))

    def _attempt(self, follower: Follower, step: Callable[[], None]) -> None:
        """Take a step with one client; what becomes of it is no concern of the others."""
        try:
            step()
        except Gone:
            self._drop(follower)
            return
        if follower.ending and not follower.is_behind:
            self._drop(follower)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if follower.is_behind else 0)
        if self._selector.get_key(follower.connection).events != wanted:
            self._selector.modify(follower.connection, wanted, follower)

    def _drop(self, follower: Follower) -> None:
        if follower in self._followers:
            self._followers.discard(follower)
            self._selector.unregister(follower.connection)
            follower.connection.close()
            with self._lock:
                self._open -= 1
