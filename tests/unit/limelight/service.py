"""A Limelight service made of scripted answers, and documents as the real one sends them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx

JOB_ID = "exp_" + "ab" * 16
PATH = f"/v1/explanations/{JOB_ID}"
Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def job(status: str = "succeeded", job_id: str = JOB_ID, **changes: Any) -> dict[str, Any]:
    path = f"/v1/explanations/{job_id}"
    document: dict[str, Any] = {
        "id": job_id,
        "status": status,
        "created_at": "2026-01-02T03:04:05.678Z",
        "started_at": None,
        "finished_at": None,
        "expires_at": None,
        "model": {"name": "lite0", "version": None, "signature": None},
        "progress": {"stage": status, "samples_done": 0, "samples_limit": 1000},
        "attempts": 0,
        "metadata": {"ticket": "4711"},
        "image": {"sha256": "cd" * 32, "width": 48, "height": 32},
        "warnings": [],
        "hidden_score": None,
        "predictions": None,
        "explanations": None,
        "samples": {"used": None, "limit": 1000, "sampler": "orthogonal", "seed": 0},
        "segments": {"count": None, "sha256": None},
        "options": {"samples": 1000},
        "timings": {"queued_s": None},
        "error": None,
        "links": {"self": path, "image": f"{path}/image"},
    }
    if status == "succeeded":
        document |= {
            "finished_at": "2026-01-02T03:04:09.678Z",
            "hidden_score": {"1": 0.02},
            "predictions": [{"class_index": 1, "class_name": "Egyptian cat", "score": 0.771}],
            "explanations": [explanation(path)],
        }
        document["links"] |= {
            "attributions": f"{path}/attributions.json",
            "segments": f"{path}/segments.png",
        }
    if status == "failed":
        document["error"] = problem(422, "image-too-uniform", stage="segmenting", retryable=False)
    return document | changes


def explanation(path: str) -> dict[str, Any]:
    return {
        "class_index": 1,
        "class_name": "Egyptian cat",
        "score": 0.771,
        "intercept": 0.41,
        "surrogate_score": 0.78,
        "fidelity": {"r2": 0.81, "press_r2": 0.76},
        "settled": True,
        "stability": {"jaccard_at_5": 1.0},
        "top_segments": [
            {
                "segment": 12,
                "attribution": 0.083,
                "standard_error": 0.004,
                "sign_confidence": 0.99,
                "area": 0.031,
                "bbox": [40, 12, 48, 30],
            }
        ],
        "overlays": {
            "signed": f"{path}/overlays/1/signed.png",
            "heatmap": f"{path}/overlays/1/heatmap.webp",
        },
    }


ATTRIBUTIONS = {
    "width": 48,
    "height": 32,
    "segments": {"count": 2, "sha256": "ab" * 32},
    "segment_numbers": [2, 7],
    "areas": [0.5, 0.5],
    "classes": [
        {
            "class_index": 1,
            "class_name": "Egyptian cat",
            "score": 0.771,
            "score_scale": "probability",
            "intercept": 0.41,
            "attributions": [0.083, -0.01],
            "standard_errors": [0.004, 0.003],
            "sign_confidence": None,
        }
    ],
}


def problem(status: int, slug: str, **more: Any) -> dict[str, Any]:
    return {
        "type": f"/problems/{slug}",
        "title": slug.replace("-", " ").capitalize(),
        "status": status,
        "detail": "What was wrong.",
        **more,
    }


def refusal(
    status: int, slug: str, *, retry_after: str | None = None, **more: Any
) -> httpx.Response:
    headers = {"Content-Type": "application/problem+json"}
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    return httpx.Response(
        status, content=json.dumps(problem(status, slug, **more)), headers=headers
    )


def told(document: Any, *, status: int = 200, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=document, headers=named)


class ScriptedService:
    """Gives its answers one after the other, and remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[httpx.Request] = []
        self._answers: Iterator[Answer] = iter(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    @property
    def paths(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.asked]


class FakeTime:
    """A clock that goes on only when somebody sleeps."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.sleeps: list[float] = []

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.at += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


class Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes bit by bit, and may break off with an exception."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self._chunks = chunks
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    async def __aiter__(self):
        for chunk in self:
            yield chunk

    def close(self) -> None:
        self.is_closed = True

    async def aclose(self) -> None:
        self.close()


def event_stream(*chunks: bytes | Exception) -> httpx.Response:
    return httpx.Response(
        200, headers={"Content-Type": "text/event-stream"}, stream=Stream(*chunks)
    )
