"""A service in which the examples of the OpenAPI document are true."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.support import pictures
from tests.unit.web.results import RESULT
from web.openapi.examples import JOB_ID
from worker.jobs.job import Job, JobRef, JobRequest, UploadedImage, artifact_key, upload_key

REF = JobRef("default", JOB_ID)
KEY = "ll_..."
CLASS = {"class_index": 285, "class_name": "Egyptian cat"}
QUEUED = Job(
    ref=REF,
    status="queued",
    queue="interactive",
    request=JobRequest(
        model="lite0",
        classes={"top": 1},
        preset="default",
        options={"samples": 1000, "sampler": "orthogonal", "seed": 7},
        overlays=({"style": "signed"},),
    ),
    image=UploadedImage(sha256="1f" * 32, width=48, height=32),
    created_at=1_760_000_000.0,
    deadline_at=1_760_086_400.0,
    retention_s=3_600,
)
ATTRIBUTIONS = {
    "width": 48,
    "height": 32,
    "segments": {"count": 2, "sha256": "9c" * 32},
    "areas": [0.5, 0.5],
    "classes": [
        {
            **CLASS,
            "score": 0.771,
            "score_scale": "probability",
            "intercept": 0.4,
            "attributions": [0.3, -0.1],
            "standard_errors": [0.01, 0.01],
            "sign_confidence": None,
        }
    ],
}


def fill(service) -> None:
    """Let there be the job, ended and with a picture, and the key of the examples."""
    result = {**RESULT, "explanations": [{**RESULT["explanations"][0], **CLASS}]}
    service.keys.add(KEY, tenant="default")
    service.store.jobs[REF] = replace(
        QUEUED, status="succeeded", result=result, fence=3, attempts=1, finished_at=1_760_000_009.0
    )
    service.store.happen(REF, "queued")
    service.store.happen(REF, "succeeded")
    service.blobs.put(upload_key(REF), pictures.png())
    for name, data in (
        ("overlays/285/signed.png", pictures.png()),
        ("segments.png", pictures.png()),
        ("attributions.json", json.dumps(ATTRIBUTIONS).encode()),
    ):
        service.blobs.put(artifact_key(REF, 3, name), data)
