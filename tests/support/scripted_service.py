"""A Limelight service without a model, over real HTTP: it does what a test tells it to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

FAILS = b"fails"
REFUSED = b"refused"
_PATH = re.compile(r"/v1/explanations/(exp_[0-9a-f]{32})(/.*)?")


class ScriptedService:
    """Accepts images as jobs, which end when they are polled the second time.

    An image that begins with ``FAILS`` becomes a job that fails; one that begins with
    ``REFUSED`` is refused.

    Attributes
    ----------
    go_on : Event
        While it is not set, no job ends.
    answers : Event
        While it is not set, a POST is recorded and its answer held back.
    jobs : dict
        By id, the image and how often it was polled.
    posts : list of str
        Idempotency keys in the order in which they came.
    most_open : int
        The most jobs that had not ended at one moment.
    """

    def __init__(self) -> None:
        self.url = ""
        self.go_on, self.answers = Event(), Event()
        self.go_on.set()
        self.answers.set()
        self.jobs: dict[str, dict[str, Any]] = {}
        self.posts: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.most_open = 0
        self.key: str | None = None
        self._ids: dict[str, str] = {}
        self._lock = Lock()

    def __call__(self, request: Request) -> Response:
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            return _problem(401, "unauthorized")
        if request.path == "/v1/explanations":
            return self._submit(request) if request.method == "POST" else self._list()
        match = _PATH.fullmatch(request.path)
        if match is None or match[1] not in self.jobs:
            return _problem(404, "not-found")
        if match[2] is not None:
            return Response(match[2].encode())
        with self._lock:
            return self._poll(match[1])

    def forget(self) -> None:
        """Erase all jobs."""
        self.jobs.clear()
        self._ids.clear()

    def _submit(self, request: Request) -> Response:
        image = request.files["image"].read()
        key = request.headers["Idempotency-Key"]
        if image.startswith(REFUSED):
            return _problem(422, "invalid-image")
        with self._lock:
            self.posts.append(key)
            self.forms.append(dict(request.form))
            job_id = self._ids.setdefault(key, f"exp_{len(self._ids):032x}")
            self.jobs.setdefault(job_id, {"image": image, "polls": 0, "status": "queued"})
            is_open = [job for job in self.jobs.values() if job["status"] == "queued"]
            self.most_open = max(self.most_open, len(is_open))
        self.answers.wait(10)
        return _answer(self._document(job_id), status=202)

    def _poll(self, job_id: str) -> Response:
        job = self.jobs[job_id]
        job["polls"] += 1
        if job["polls"] > 1 and self.go_on.is_set():
            job["status"] = "failed" if job["image"].startswith(FAILS) else "succeeded"
        return _answer(self._document(job_id))

    def _list(self) -> Response:
        documents = [self._document(job_id) for job_id in self.jobs]
        return _answer({"explanations": documents, "next": None})

    def _document(self, job_id: str) -> dict[str, Any]:
        status = self.jobs[job_id]["status"]
        path = f"/v1/explanations/{job_id}"
        explanation = {
            "class_index": 285,
            "class_name": "Egyptian cat",
            "score": 0.771,
            "fidelity": {"r2": 0.81, "press_r2": 0.76},
            "overlays": {"signed": f"{path}/overlays/285/signed.png"},
        }
        return {
            "id": job_id,
            "status": status,
            "created_at": "2026-01-02T03:04:05.678Z",
            "progress": {"stage": "sampling", "samples_done": 64, "samples_limit": 1000},
            "explanations": [explanation] if status == "succeeded" else None,
            "error": _details(422, "image-too-uniform") if status == "failed" else None,
            "links": {"self": path},
        }


@contextmanager
def running() -> Iterator[ScriptedService]:
    """Serve on a free port of loopback until the block ends."""
    service = ScriptedService()
    with HTTPServer(host="127.0.0.1", port=0, threaded=True) as server:
        server.expect_request(re.compile(".*")).respond_with_handler(service)
        service.url = server.url_for("")
        try:
            yield service
        finally:
            service.answers.set()


def _answer(document: Any, *, status: int = 200) -> Response:
    headers = {"Retry-After": "0"}
    return Response(json.dumps(document), status, headers, content_type="application/json")


def _details(status: int, slug: str) -> dict[str, Any]:
    return {"type": f"/problems/{slug}", "title": slug, "status": status, "detail": "So it is."}


def _problem(status: int, slug: str) -> Response:
    body = json.dumps(_details(status, slug))
    return Response(body, status, content_type="application/problem+json")
