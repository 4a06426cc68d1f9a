"""A worker's surroundings as fakes."""

from __future__ import annotations

from tests.unit.fakes import FakeBlobs, FakeModel, FakeSeats, FakeStore, submit
from worker.failures import UnknownModel
from worker.jobs.job import Job, artifact_key
from worker.ports import Limits, Model, Ports
from worker.run_job import Outcome, run_job


class World:
    """A worker's surroundings, and what the tests do in them."""

    def __init__(self) -> None:
        self.store = FakeStore()
        self.blobs = FakeBlobs()
        self.model = FakeModel()
        self.seats = FakeSeats()
        self.shutting_down = False
        self.limits = Limits(beat_s=0.01, lease_s=0.5)

    def submit(self, job: Job, image: bytes | None = None) -> Job:
        return submit(self.store, self.blobs, job, image)

    def run(self, job: Job) -> Outcome:
        return run_job(job.ref, ports=self.ports())

    def ports(self) -> Ports:
        return Ports(
            store=self.store,
            blobs=self.blobs,
            seats=self.seats,
            call=self.seats.call,
            model=self._model,
            worker="host/1",
            limits=self.limits,
            shutting_down=lambda: self.shutting_down,
            libraries={"limelight": "0.1.0"},
        )

    def _model(self, name: str) -> Model:
        if name != "quadrants":
            raise UnknownModel(name)
        return self.model

    def artifact(self, job: Job, name: str, *, fence: int = 1) -> bytes:
        return self.blobs.get(artifact_key(job.ref, fence, name))
