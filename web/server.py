"""gunicorn, started from Python: one place for its settings, and errors in the API's own form.

What gunicorn refuses before the application sees it (a broken request line, a header that is too
long) it would answer in HTML; here it is problem details like everything else.
"""

from __future__ import annotations

import itertools
import json
import resource
import selectors
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from time import monotonic
from typing import Any

from flask import Flask
from gunicorn import util
from gunicorn.app.base import BaseApplication
from gunicorn.http import errors as http
from gunicorn.workers.gthread import ThreadWorker

from web.documents import Problem
from web.lingering import Lingering
from web.patience import PatientSocket
from web.problems import MEDIA_TYPE, problem
from web.settings import WebSettings
from web.slots import MOST_WAITING, Slots
from web.streams import STREAMS
from worker.telemetry import metrics, spans

# The longest that gunicorn offers. No path of ours comes near, so a longer one leads nowhere: 404.
_MAX_REQUEST_LINE = 8190

# Answered by a thread each, whatever else the process does: who probes it restarts it otherwise.
# A proxy may pass them on below a prefix, which only its header tells.
_PROBED = (b"/v2/health/live", b"/v2/health/ready")
# What waiting clients may hold in memory, in uploads of the greatest length.
_MOST_WAITING_UPLOADS = 12
# What a process may have connected, and open beside that: files of uploads, Redis, libraries.
_MOST_CONNECTIONS = 1000
_OTHER_FILES = MOST_WAITING + 100
# Above this share of the connections that a process may have, the idle ones make room for new ones.
_CROWDED = 0.9

_REASONS = {400: "Bad Request", 404: "Not Found", 500: "Internal Server Error"}
_NOT_PARSED = (
    http.ParseException,
    http.InvalidChunkSize,
    http.ChunkMissingTerminator,
    http.InvalidChunkExtension,
)


class ProblemWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types.
    """A threaded worker that answers what it cannot parse by problem details."""

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Make threads for the requests that are worked on, and for those that wait."""
        return ThreadPoolExecutor(2 * self.cfg.threads + MOST_WAITING, "request")

    def enqueue_req(self, conn: Any) -> None:
        """Have a connection served by a thread, a new one not before it has asked for something.

        The base class would let a thread wait for that; browsers connect ahead of what they may
        ask for.
        """
        if conn.initialized or conn.data_ready:
            self._submit(conn)
            return
        settings = self.app.settings
        conn.sock = PatientSocket.instead_of(
            conn.sock, patience_s=settings.web_patience_s, slots=self._slots
        )
        conn.sock.setblocking(False)
        conn.timeout = monotonic() + settings.web_patience_s
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, readable)

    def _submit(self, conn: Any) -> None:
        # A request that came together with the one before it has no target: it was not seen.
        target, conn.sock.target = conn.sock.target, b""
        reserved = next(
            (its for path, its in self._reserved.items() if target.endswith(path)), None
        )
        if reserved is not None:
            done = reserved.submit(self.handle, conn)
        else:
            done = self.tpool.submit(self._handle_in_slot, conn)
        done.add_done_callback(lambda it: self.method_queue.defer(self.finish_request, conn, it))

    def _handle_in_slot(self, conn: Any) -> Any:
        with self._slots.taken():
            return self.handle(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Serve a request, and let the application have the connection closed after it."""
        conn.sock.close_after = req.force_close
        return super().handle_request(req, conn)

    @cached_property
    def _slots(self) -> Slots:
        most_bytes = _MOST_WAITING_UPLOADS * self.app.settings.max_upload_bytes
        return Slots(self.cfg.threads, most_bytes=most_bytes)

    @cached_property
    def _reserved(self) -> dict[bytes, ThreadPoolExecutor]:
        return {path: ThreadPoolExecutor(1, "health") for path in _PROBED}

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        """Serve a new connection once a whole head has come."""
        if conn.sock.has_head():
            super().on_pending_socket_readable(conn, client)

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:
        """Serve a connection that was kept alive once a whole head has come."""
        if conn.sock.has_head():
            super().on_client_socket_readable(conn, client)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Leave a connection alone that an event stream has taken over, and wait for no client.

        Here is the thread that accepts connections.
        """
        if conn.sock.fileno() == -1:
            self._forget()
        elif fs.cancelled() or fs.exception() is not None or fs.result():
            super().finish_request(conn, fs)
        else:
            self._lingering.add(conn.sock)

    def murder_pending(self) -> None:
        """Close what has waited too long, or is idle where there are too many connections.

        The base class calls this once it has dealt with all that a selector told it at once:
        while it does, none of those may be closed.
        """
        super().murder_pending()
        self._lingering.end_overdue()
        while self.nr_conns >= _CROWDED * self.worker_connections and self._close_idle():
            pass

    def _close_idle(self) -> bool:
        """Close the connection that can best be spared; tell whether there was one."""
        if self._lingering.end_longest():
            return True
        idle = max(self.pending_conns, self.keepalived_conns, key=len)
        # A few are about to ask, and closing them would make little room.
        if len(idle) <= (1 - _CROWDED) * self.worker_connections:
            return False
        longest = idle.popleft()
        self.poller.unregister(longest.sock)
        longest.close()
        self._forget()
        return True

    def _cap_keepalive(self, deadline: float) -> None:
        """Let what asked for nothing yet, either, keep a process that ends no longer than this."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    @cached_property
    def _lingering(self) -> Lingering:
        return Lingering(self.poller, closed=self._forget)

    def _forget(self) -> None:
        self.nr_conns -= 1

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that never reached the application."""
        status = None
        if isinstance(exc, http.LimitRequestLine):
            slug, detail = "not-found", "No path is this long."
        elif isinstance(exc, _NOT_PARSED):
            slug, status = "invalid-request", 400
            detail = "The request line or the headers cannot be read, or are too long."
        else:
            self.log.error("request failed in the server", exc_info=exc)
            slug, detail = "internal", "The error was logged. It is not your fault."
        prefix = self.app.settings.path_prefix
        answer = problem(slug, detail=detail, status=status, prefix=prefix)
        try:
            util.write_nonblock(client, _raw(answer))
        except OSError as error:
            # Who sends such requests often does not wait for the answer.
            self.log.debug("the client did not take the answer: %s", error)


def _raw(answer: Problem) -> bytes:
    body = json.dumps(answer).encode()
    status = answer["status"]
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
        f"Content-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
        "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def _most_connections(settings: WebSettings) -> int:
    """Return how many connections a process may keep and still open what it needs.

    One that can open no more when a client connects is ended by gunicorn.
    """
    others = settings.web_streams + 4 * settings.web_threads + _OTHER_FILES
    files = _allow_files(_MOST_CONNECTIONS + others)
    return max(files // 4, min(_MOST_CONNECTIONS, files - others))


def _allow_files(wanted: int) -> int:
    """Let this process have as many files open, or as many as it may; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


def _give_place(arbiter: Any, worker: Any) -> None:
    """Give a new process the first place that none has; it counts where the one before it did."""
    taken = {other.place for other in arbiter.WORKERS.values()}
    worker.place = next(place for place in itertools.count() if place not in taken)


def _watch(_arbiter: Any, worker: Any) -> None:
    metrics.count_at(lambda: f"web-{worker.place}")
    spans.start("limelight-web")


def _wind_up(_arbiter: Any, worker: Any) -> None:
    """Cut the event streams of a process that ends, so that their clients go on elsewhere."""
    app: Flask | None = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions[STREAMS].close()
    spans.stop()


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types.
    """gunicorn with its settings given here alone: no file, no arguments, no environment.

    Parameters
    ----------
    build : callable
        Makes the application. It is called in each process after the fork, so no connection is
        ever shared between processes.
    settings : WebSettings
    """

    def __init__(self, build: Callable[[], Flask], settings: WebSettings) -> None:
        self._build = build
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults, and those defaults that matter."""
        settings = self.settings
        for name, value in {
            "bind": [one for one in (settings.bind, settings.web_metrics_bind) if one],
            "worker_class": "web.server.ProblemWorker",
            "logger_class": "web.logs.ServerLogger",
            "workers": settings.web_workers,
            "threads": settings.web_threads,
            "worker_connections": _most_connections(settings),
            "timeout": settings.web_timeout_s,
            "graceful_timeout": settings.grace_s,
            "keepalive": 5,
            "limit_request_line": _MAX_REQUEST_LINE,
            "limit_request_fields": 100,
            "proc_name": "limelight-web",
            "preload_app": False,
            # What proxies say is read by web.forwarding.
            "forwarded_allow_ips": "",
            # gunicorn's own control socket would be one more door, and a file in the home folder.
            "control_socket_disable": True,
            "pre_fork": _give_place,
            "post_fork": _watch,
            "worker_exit": _wind_up,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Build the application of one process."""
        return self._build()
