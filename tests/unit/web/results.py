"""A finished job's result as workers write it."""

from __future__ import annotations

from tests.support import pictures
from worker.jobs.job import JobRef, artifact_key

RESULT = {
    "model": {"name": "lite0", "version": 3, "signature": "serving_default"},
    "predictions": [{"class_index": 1, "class_name": "Egyptian cat", "score": 0.771}],
    "hidden_score": {"1": 0.02},
    "explanations": [
        {
            "class_index": 1,
            "class_name": "Egyptian cat",
            "score": 0.771,
            "intercept": 0.41,
            "surrogate_score": 0.78,
            "fidelity": {"r2": 0.81, "press_r2": 0.76},
            "settled": True,
            "stability": {"jaccard_at_5": 1.0},
            "score_kind": "probability",
            "score_scale": "probability",
            "trust": {
                "level": "good",
                "reasons": [
                    {
                        "level": "good",
                        "title": "Follows the model closely",
                        "text": "R² is 0.76.",
                    }
                ],
            },
            "insertion_deletion": None,
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
            "overlays": {"signed": "png", "heatmap": "webp"},
        }
    ],
    "samples": {
        "used": 512,
        "limit": 1000,
        "sampler": "orthogonal",
        "seed": 7,
        "stopped_by": "settled",
        "images_scored": 514,
        "model_calls": 17,
    },
    "segments": {"count": 47, "sha256": "ab" * 32},
    "options": {"samples": 1000, "seed": 7},
    "timings": {"queued_s": 0.1, "segment_s": 0.02, "predict_s": 5.1, "fit_s": 0.01, "draw_s": 0.2},
    "warnings": [
        {
            "code": "large-segment",
            "severity": "warning",
            "class_index": None,
            "text": "Segment 3 covers 60% of the image.",
            "cure": "Ask for more segments.",
        }
    ],
    "libraries": {"numpy": "2.4"},
    "fence": 3,
}
ARTIFACTS = {
    "overlays/1/signed.png": pictures.png(),
    "overlays/1/heatmap.webp": b"RIFF heatmap",
    "attributions.json": b'{"width": 48}',
    "segments.png": b"\x89PNG segments",
}


def succeed(service, job_id: str, *, tenant: str = "default", **changes: object) -> None:
    """End a job as a worker would: its pictures stored under the fence, its record terminal."""
    ref = JobRef(tenant, job_id)
    for name, data in ARTIFACTS.items():
        service.blobs.put(artifact_key(ref, RESULT["fence"], name), data)
    result = {**RESULT, **changes}
    service.store.change(ref, status="succeeded", result=result, fence=3, finished_at=1_760_000_009)
