"""Values shown in the document. The tests send the requests and check the answers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from web.openapi.parts import Example

JOB_ID = "exp_4b8f0c2d9e7a41d6a3c5e8f1b2d4c6a8"
_PATH = f"/v1/explanations/{JOB_ID}"

# 16 pixels square, half blue and half yellow.
_IMAGE = {
    "base64": "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQAQMAAAAlPW0iAAAABlBMVEUeWqDcjCiFY6eiAAAAEElEQVR42mNg"
    "+M/EwEA8AgAw0gEe0P1L1QAAAABJRU5ErkJggg=="
}

SUBMIT_BODIES: Mapping[str, Example] = MappingProxyType(
    {
        "image": Example(summary="Everything else has a default", value={"image": _IMAGE}),
        "classes": Example(
            summary="The three best classes, three pictures of each",
            value={
                "image": _IMAGE,
                "classes": {"top": 3},
                "overlays": ["signed", {"style": "heatmap", "max_side": 2048}, "sheet"],
                "metadata": {"ticket": "4711"},
            },
        ),
        "options": Example(
            summary="A preset, and what differs from it",
            value={
                "image": _IMAGE,
                "preset": "lime",
                "options": {"segmentation": {"method": "grid", "rows": 4}, "samples": 500},
                "queue": "bulk",
                "retention_s": 3600,
            },
        ),
        "webhook": Example(
            summary="Tell another service of the end",
            value={
                "image": _IMAGE,
                "webhook": {
                    "url": "https://example.org/hook",
                    "events": ["explanation.succeeded", "explanation.failed"],
                },
            },
        ),
    }
)

_URL = "http://127.0.0.1:8000/v1/explanations"
SUBMIT_COMMANDS: tuple[Example, ...] = (
    Example(summary="Explain an image", value=f"curl -F image=@cat.jpg {_URL}"),
    Example(
        summary="Explain its three best classes, with a key",
        value="curl -H 'Authorization: Bearer ll_...' -F image=@cat.jpg -F classes=3 "
        f"-F options.samples=500 -F overlays=signed,sheet {_URL}",
    ),
    Example(
        summary="The same as JSON beside the file",
        value='curl -F image=@cat.jpg -F \'request={"classes": {"top": 3}, '
        f'"options": {{"samples": 500}}}}\' {_URL}',
    ),
)

_TIMES = {
    "created_at": "2026-03-01T09:30:00.120Z",
    "started_at": "2026-03-01T09:30:00.220Z",
    "finished_at": "2026-03-01T09:30:05.480Z",
    "expires_at": "2026-03-02T09:30:05.480Z",
}
_COMMON: Mapping[str, Any] = {
    "id": JOB_ID,
    "attempts": 1,
    "waiting_for": None,
    "computed_by": None,
    "metadata": {"ticket": "4711"},
    "image": {"sha256": "1f" * 32, "width": 451, "height": 300},
    "error": None,
}

FINISHED: Mapping[str, Any] = {
    **_COMMON,
    **_TIMES,
    "status": "succeeded",
    "model": {"name": "lite0", "version": 1, "signature": "serving_default"},
    "progress": {"stage": "done", "samples_done": 512, "samples_limit": 1000},
    "warnings": [],
    "hidden_score": {"285": 0.02},
    "predictions": [{"class_index": 285, "class_name": "Egyptian cat", "score": 0.771}],
    "explanations": [
        {
            "class_index": 285,
            "class_name": "Egyptian cat",
            "score": 0.771,
            "intercept": 0.41,
            "surrogate_score": 0.78,
            "fidelity": {"r2": 0.81, "press_r2": 0.76},
            "relative_error": 0.14,
            "settled": True,
            "certified": False,
            "stability": {"jaccard_at_5": 1.0},
            "control_variates": "interactions",
            "score_kind": "probability",
            "score_scale": "probability",
            "trust": {
                "level": "good",
                "reasons": [
                    {
                        "level": "good",
                        "title": "Follows the model closely",
                        "text": "On samples left out of the fit, R² is 0.76. In sample, which "
                        "flatters, it is 0.81.",
                    }
                ],
            },
            "insertion_deletion": None,
            "top_segments": [
                {
                    "segment": 12,
                    "attribution": 0.083,
                    "standard_error": 0.004,
                    "sign_confidence": 1.0,
                    "area": 0.031,
                    "bbox": [40, 12, 88, 60],
                }
            ],
            "overlays": {"signed": f"{_PATH}/overlays/285/signed.png"},
        }
    ],
    "samples": {
        "used": 512,
        "limit": 1000,
        "stopped_by": "settled",
        "sampler": "orthogonal",
        "seed": 7,
        "images_scored": 516,
        "model_calls": 17,
    },
    "segments": {"count": 47, "sha256": "9c" * 32},
    "options": {"segmentation": {"method": "slic", "n_segments": 50}, "samples": 1000, "seed": 7},
    "timings": {"queued_s": 0.1, "segment_s": 0.02, "predict_s": 5.1, "fit_s": 0.01, "draw_s": 0.2},
    "links": {
        "self": _PATH,
        "image": f"{_PATH}/image",
        "attributions": f"{_PATH}/attributions.json",
        "segments": f"{_PATH}/segments.png",
        "evidence": f"{_PATH}/evidence.zip",
        "webhook": f"{_PATH}/webhook",
    },
}

ACCEPTED: Mapping[str, Any] = {
    **FINISHED,
    "status": "queued",
    "started_at": None,
    "finished_at": None,
    "expires_at": None,
    "model": {"name": "lite0", "version": None, "signature": None},
    "progress": {"stage": "queued", "samples_done": 0, "samples_limit": 0},
    "attempts": 0,
    "waiting_for": None,
    "hidden_score": None,
    "predictions": None,
    "explanations": None,
    "samples": {
        **FINISHED["samples"],
        **dict.fromkeys(("used", "stopped_by", "images_scored", "model_calls")),
    },
    "segments": {"count": None, "sha256": None},
    "timings": dict.fromkeys(FINISHED["timings"]),
    "links": {
        "self": _PATH,
        "image": f"{_PATH}/image",
        "cancel": f"{_PATH}/cancel",
        "events": f"{_PATH}/events",
        "webhook": f"{_PATH}/webhook",
    },
}

EVENTS = (
    "retry: 2000\n\n"
    "id: 1760000000250-0\nevent: progress\n"
    'data: {"status":"processing","at":"2026-03-01T09:30:01.000Z",'
    '"progress":{"stage":"sampling","samples_done":128,"samples_limit":1000}}\n\n'
)
