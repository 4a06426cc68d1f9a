"""What the unit tests run on in place of Redis and a model server. They are ours, so they are
held to the same contract: the store fences, the blobs are whole, the model counts its calls."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from worker.explain.options import ExplanationOptions
from worker.explain.presets import PRESETS, picture
from worker.jobs.errors import (
    BlobMissing,
    NotClaimable,
    StaleClaim,
    StoreUnavailable,
    UnknownJob,
)
from worker.jobs.job import (
    TRANSITIONS,
    Failure,
    Job,
    JobRef,
    JobRequest,
    Progress,
    Status,
    UploadedImage,
    upload_key,
)
from worker.jobs.sharing import Standing
from worker.jobs.store import Claim
from worker.jobs.traffic import Left, ModelBusy, Outcome, Seat, Visitor
from worker.serving.pace import Pace
from worker.serving.preparation import Preparation
from worker.serving.resolved import ResolvedModel


class FakeStore:
    """Jobs in memory, with a clock that the test moves.

    ``before`` holds callables by the name of an operation; each is called before the operation
    and may raise, or change the store as another worker would. ``standings`` holds what the next
    jobs are in their work; every other job leads.
    """

    def __init__(self) -> None:
        self.now = 1_000.0
        self.jobs: dict[JobRef, Job] = {}
        self.reports: list[Progress] = []
        self.renewals = 0
        self.joined: list[str | None] = []
        self.standings: list[Standing] = []
        self.given_back: list[dict[str, Any]] = []
        self.before: dict[str, Callable[[], None]] = {}

    def add(self, job: Job) -> Job:
        self.jobs[job.ref] = job
        return job

    def get(self, ref: JobRef) -> Job:
        if ref not in self.jobs:
            raise UnknownJob(str(ref))
        return self.jobs[ref]

    def request_cancel(self, ref: JobRef) -> None:
        self.jobs[ref] = replace(self.get(ref), cancel_requested=True)

    def claim(self, ref: JobRef, *, worker: str, lease_s: float, max_attempts: int = 3) -> Claim:
        self._call("claim")
        job = self.get(ref)
        if job.is_terminal:
            raise NotClaimable("ended")
        if job.lease_until is not None and job.lease_until > self.now:
            raise NotClaimable("held")
        job = replace(
            job,
            status="processing",
            fence=job.fence + 1,
            attempts=job.attempts + 1,
            worker=worker,
            started_at=self.now,
            lease_until=self.now + lease_s,
        )
        self.jobs[ref] = job
        return Claim(job=job, fence=job.fence, worker=worker)

    def join(self, claim: Claim, work: str | None) -> Standing:
        self._call("join")
        job = self._held(claim)
        self.joined.append(work)
        standing = self.standings.pop(0) if self.standings else "leads"
        if standing == "follows":
            self.jobs[job.ref] = replace(job, lease_until=None, attempts=job.attempts - 1)
        elif standing == "reuses":
            self._end(claim, "succeeded")
        return standing

    def renew(self, claim: Claim, *, lease_s: float) -> bool:
        self._call("renew")
        job = self._held(claim)
        self.renewals += 1
        self.jobs[job.ref] = replace(job, lease_until=self.now + lease_s)
        return job.cancel_requested

    def report(self, claim: Claim, progress: Progress) -> None:
        self._call("report")
        job = self._held(claim)
        self.reports.append(progress)
        self.jobs[job.ref] = replace(job, progress=progress)

    def give_back(
        self, claim: Claim, *, delay_s: float, waiting_for: str | None, counts_as_attempt: bool
    ) -> None:
        self._call("give_back")
        job = self._end(claim, "queued")
        self.jobs[job.ref] = replace(
            job,
            attempts=job.attempts if counts_as_attempt else job.attempts - 1,
            waiting_for=waiting_for,
            not_before=self.now + delay_s,
        )

    def succeed(self, claim: Claim, result: Mapping[str, Any]) -> None:
        self._call("succeed")
        job = self._end(claim, "succeeded")
        self.jobs[job.ref] = replace(job, result=result)

    def fail(self, claim: Claim, failure: Failure) -> None:
        self._call("fail")
        job = self._end(claim, "failed")
        self.jobs[job.ref] = replace(job, error=failure)

    def cancel(self, claim: Claim) -> None:
        self._call("cancel")
        self._end(claim, "canceled")

    def steal(self, ref: JobRef) -> None:
        """Claim the job for another worker, as after a lease that ran out."""
        job = self.get(ref)
        self.jobs[ref] = replace(job, fence=job.fence + 1, worker="another")

    def _call(self, name: str) -> None:
        self.before.get(name, lambda: None)()

    def _held(self, claim: Claim) -> Job:
        job = self.get(claim.job.ref)
        if job.fence != claim.fence or job.status != "processing":
            raise StaleClaim(str(job.ref))
        return job

    def _end(self, claim: Claim, status: Status) -> Job:
        job = self._held(claim)
        assert status in TRANSITIONS[job.status]
        job = replace(job, status=status, lease_until=None)
        self.jobs[job.ref] = job
        return job


class FakeBlobs:
    """Bytes in a dictionary."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}

    def get(self, key: str) -> bytes:
        if key not in self.data:
            raise BlobMissing(key)
        return self.data[key]

    def put(self, key: str, data: bytes) -> None:
        self.data[key] = bytes(data)


@dataclass
class FakeSeats:
    """Seats without end, unless ``busy`` says why there is none. ``log`` keeps what was asked.

    ``waiting`` are called in turn when a seat is left; those that have ``ended`` do not come.
    """

    busy: ModelBusy | None = None
    waiting: list[JobRef] = field(default_factory=list)
    ended: set[JobRef] = field(default_factory=set)
    away: StoreUnavailable | None = None
    log: list[str] = field(default_factory=list)

    def knock(self, model: str, *, who: Visitor, lease_s: float) -> None:
        self.log.append("knock")
        if self.busy is not None and self.busy.reason == "circuit-open":
            raise self.busy

    def enter(self, model: str, *, who: Visitor, most: int, lease_s: float) -> Seat:
        self.log.append("enter")
        if self.busy is not None:
            raise self.busy
        return Seat(in_flight=most, images=4)

    def renew(
        self,
        model: str,
        *,
        who: JobRef,
        most: int,
        lease_s: float,
        images: int,
        proven: int,
        gave_way: bool,
    ) -> Seat:
        self.log.append(f"renew {images}{' gave way' if gave_way else ''}")
        return Seat(in_flight=1, images=images)

    def leave(self, model: str, *, who: JobRef, outcome: Outcome, most: int) -> Left:
        if self.away is not None:
            raise self.away
        self.log.append(outcome)
        return Left(called=self.waiting.pop(0) if self.waiting else None)

    def call(self, ref: JobRef) -> bool:
        self.log.append(f"call {ref}")
        return ref not in self.ended


@dataclass
class FakeModel:
    """A model of four classes: the class of a quadrant scores by how bright that quadrant is.

    ``on_batch`` is called with the number of batches scored so far, before each; it may raise.
    """

    versions: list[int] = field(default_factory=lambda: [3])
    labels: tuple[str, ...] | None = ("north-west", "north-east", "south-west", "south-east")
    on_batch: Callable[[int], None] = lambda _: None
    preparation: Preparation = field(default_factory=Preparation)
    batch_size: int = 16
    batches: int = 0
    closed: int = 0
    problems: list[str] = field(default_factory=list)
    doubted: list[str] = field(default_factory=list)
    checks: int = 0
    resolutions: list[int | None] = field(default_factory=list)
    max_in_flight: int = 2
    pace: Pace = field(default_factory=lambda: Pace(most_images=16, most_in_flight=2, target_s=0.1))

    def resolve(
        self,
        version: int | None,
        *,
        timeout_s: float,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> ResolvedModel:
        assert timeout_s > 0
        self.resolutions.append(version)
        served = self.versions[min(len(self.resolutions), len(self.versions)) - 1]
        return replace(
            resolved_model(version=served, labels=self.labels), preparation=self.preparation
        )

    def check(self, *, timeout_s: float) -> list[str]:
        self.checks += 1
        return self.problems

    def doubts(self, *, timeout_s: float) -> list[str]:
        return self.doubted

    def predictor(
        self,
        resolved: ResolvedModel,
        *,
        deadline_s: float,
        checkpoint: Callable[[], None],
        seats: Callable[[], int],
    ) -> FakePredictor:
        assert deadline_s > 0
        return FakePredictor(self, resolved)


@dataclass
class FakePredictor:
    model: FakeModel
    resolved: ResolvedModel
    calls: int = 0

    @property
    def batch_size(self) -> int:
        return self.model.batch_size

    def __call__(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        try:
            for batch in batches:
                self.model.on_batch(self.model.batches)
                self.model.batches += 1
                self.calls += 1
                yield quadrant_scores(batch)
        except GeneratorExit:
            self.model.closed += 1
            raise


def resolved_model(*, version: int, labels: tuple[str, ...] | None) -> ResolvedModel:
    return ResolvedModel(
        name="quadrants",
        servable="quadrants",
        version=version,
        signature="serving_default",
        input="image",
        output="scores",
        input_size=(32, 32),
        channels=3,
        dtype="uint8",
        layout="NHWC",
        class_count=4,
        labels=labels,
        preparation=Preparation(),
        profile_sha256="0" * 64,
        batch_size=16,
    )


def quadrant_scores(batch: np.ndarray) -> np.ndarray:
    """Softmax over the mean brightness of the four quadrants; float64 (N, 4)."""
    count, height, width, _ = batch.shape
    grey = batch.mean(axis=3, dtype=np.float64)
    quadrants = grey.reshape(count, 2, height // 2, 2, width // 2).mean(axis=(2, 4)) / 64.0
    scores = np.exp(quadrants.reshape(count, 4))
    return scores / scores.sum(axis=1, keepdims=True)


def photograph(*, width: int = 60, height: int = 40, seed: int = 1) -> bytes:
    """A PNG with structure: coloured noise that is brighter towards the north-east."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 120, width)[None, :] + np.linspace(80, 0, height)[:, None]
    pixels = ramp[:, :, None] + rng.integers(0, 50, (height, width, 3))
    return png(pixels.astype(np.uint8))


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def make_job(
    *,
    options: Mapping[str, Any] | None = None,
    overlays: tuple[str, ...] = ("signed",),
    **request: Any,
) -> Job:
    """A queued job with a small grid of segments, to be quick."""
    chosen = {"segmentation": {"method": "grid", "rows": 4, "columns": 4}, "samples": 64}
    effective = ExplanationOptions.model_validate({**chosen, **(options or {})})
    assert "default" in PRESETS
    defaults: dict[str, Any] = {
        "model": "quadrants",
        "classes": {"top": 1},
        "preset": "default",
        "options": effective.model_dump(mode="json"),
        "overlays": tuple(picture("default", style).model_dump(mode="json") for style in overlays),
    }
    return Job(
        ref=JobRef.new(),
        status="queued",
        queue="interactive",
        request=JobRequest(**{**defaults, **request}),
        image=UploadedImage(sha256="0" * 64, width=60, height=40),
        created_at=999.0,
        deadline_at=9_999.0,
        retention_s=3_600,
    )


def submit(store: FakeStore, blobs: FakeBlobs, job: Job, image: bytes | None = None) -> Job:
    """Accept a job as the web process does."""
    blobs.put(upload_key(job.ref), photograph() if image is None else image)
    return store.add(job)
