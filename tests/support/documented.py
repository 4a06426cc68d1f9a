"""The job of the OpenAPI document's examples, to be put into whatever store a test has."""

from __future__ import annotations

import json
from typing import Any

from tests.support import pictures
from web.openapi.examples import FINISHED, JOB_ID
from web.openapi.webhook_operations import LOG
from worker.jobs.job import (
    JobRef,
    JobRequest,
    UploadedImage,
    Webhook,
    artifact_key,
    upload_key,
)

REF = JobRef("default", JOB_ID)
# As the document writes a key.
KEY = "ll_..."
REQUEST = JobRequest(
    model=FINISHED["model"]["name"],
    classes={"top": 1},
    preset="default",
    options={**FINISHED["options"], "sampler": FINISHED["samples"]["sampler"]},
    overlays=({"style": "signed"},),
    metadata=FINISHED["metadata"],
    webhook=Webhook(url=LOG["url"], events=tuple(LOG["events"])),
)
IMAGE = UploadedImage(**FINISHED["image"])
_AS_SHOWN = (
    "model", "predictions", "hidden_score", "samples", "segments", "options", "timings",
    "warnings",
)  # fmt: skip


def result(fence: int) -> dict[str, Any]:
    """What a worker writes so that the job is shown like the example."""
    explained = [
        {**shown, "overlays": dict.fromkeys(shown["overlays"], "png")}
        for shown in FINISHED["explanations"]
    ]
    kept = {name: FINISHED[name] for name in _AS_SHOWN}
    return {**kept, "explanations": explained, "libraries": {"numpy": "2.4"}, "fence": fence}


def blobs(fence: int) -> dict[str, bytes]:
    """What was uploaded and what a worker made, by key."""
    made = {
        "overlays/285/signed.png": pictures.png(),
        "segments.png": pictures.png(),
        "attributions.json": json.dumps(_attributions()).encode(),
    }
    stored = {artifact_key(REF, fence, name): data for name, data in made.items()}
    return {upload_key(REF): pictures.png(), **stored}


def _attributions() -> dict[str, Any]:
    names = ("class_index", "class_name", "score", "score_scale", "intercept")
    figures = {
        "attributions": [0.3, -0.1],
        "standard_errors": [0.01, 0.01],
        "sign_confidence": None,
    }
    explained = [{name: one[name] for name in names} for one in FINISHED["explanations"]]
    return {
        **{name: FINISHED["image"][name] for name in ("width", "height")},
        "segments": FINISHED["segments"],
        "segment_numbers": [0, 1],
        "areas": [0.5, 0.5],
        "classes": [{**one, **figures} for one in explained],
    }
