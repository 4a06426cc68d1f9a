"""Jobs that need the same work, taken as far as a test wants them, on a real Redis."""

from __future__ import annotations

from tests.support.records import Bench
from worker.jobs.blobs import Blobs
from worker.jobs.job import Job, JobRef, Progress, artifact_key
from worker.jobs.store import Claim

WORK = "ab" * 32
RESULT = {
    "explanations": [],
    "samples": {"used": 64, "model_calls": 5, "images_scored": 65},
    "timings": {"queued_s": 9.0, "predict_s": 3.5},
    "warnings": [],
    "fence": 1,
}
PICTURE = "overlays/285/signed.png"


def claimed(bench: Bench, ref: JobRef | None = None, **changes: object) -> Claim:
    ref = bench.create(**changes).ref if ref is None else ref
    return bench.store.claim(ref, worker="w", lease_s=30)


def joined(bench: Bench, standing: str, **changes: object) -> Claim:
    claim = claimed(bench, **changes)
    assert bench.store.join(claim, WORK) == standing
    return claim


def succeed(bench: Bench, blobs: Blobs, claim: Claim) -> None:
    blobs.put(artifact_key(claim.job.ref, claim.fence, PICTURE), b"picture")
    bench.store.report(claim, Progress(stage="sampling", samples_done=64, samples_limit=100))
    bench.store.succeed(claim, {**RESULT, "fence": claim.fence})


def now(bench: Bench, claim: Claim) -> Job:
    return bench.store.get(claim.job.ref)


def types(bench: Bench, claim: Claim) -> list[str]:
    return [event.type for event in bench.store.events(claim.job.ref)]


def due(bench: Bench) -> set[JobRef]:
    return {one.ref for one in bench.store.due(limit=99)}


def picture(blobs: Blobs, job: Job) -> bytes:
    assert job.result is not None
    return blobs.get(artifact_key(job.maker, job.result["fence"], PICTURE))
