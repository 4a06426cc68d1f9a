from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.unit.fakes import FakeBlobs, FakeModel, FakeSeats, FakeStore, make_job, png, submit
from worker.jobs.errors import StoreUnavailable
from worker.jobs.job import Job, upload_segments_key
from worker.ports import Ports
from worker.run_job import Outcome, run_job
from worker.serving.errors import ModelVersionGone


class World:
    def __init__(self) -> None:
        self.store, self.blobs, self.model = FakeStore(), FakeBlobs(), FakeModel()
        self.changes: dict[str, Any] = {}

    def run(self, job: Job) -> Outcome:
        submit(self.store, self.blobs, job)
        ports = Ports(
            store=self.store,
            blobs=self.blobs,
            seats=FakeSeats(),
            call=lambda _: True,
            model=lambda _: self.model,
            worker="w",
        )
        return run_job(job.ref, ports=replace(ports, **self.changes))

    def name(self, job: Job) -> str:
        """What the job's work is called."""
        self.run(job)
        name = self.store.joined[-1]
        assert name is not None
        return name


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("standing", ["follows", "reuses"])
def test_a_job_that_shares_its_work_neither_loads_nor_scores_nor_stores(
    world: World, standing: str
) -> None:
    job = make_job()
    world.store.standings = [standing]  # type: ignore[list-item]
    assert world.run(job) == standing
    assert world.model.batches == 0
    assert len(world.blobs.data) == 1  # The upload.
    expected = "processing" if standing == "follows" else "succeeded"
    assert world.store.get(job.ref).status == expected


def test_a_job_that_leads_is_explained(world: World) -> None:
    assert world.run(make_job()) == "succeeded"
    assert world.model.batches > 0
    assert len(world.store.joined) == 1


def test_the_same_request_is_the_same_work_whatever_version_it_named(world: World) -> None:
    assert world.name(make_job()) == world.name(make_job(version=3, metadata={"a": "b"}))


def test_the_version_that_is_served_makes_the_work_another(world: World) -> None:
    first = world.name(make_job())
    world.model.versions = [4]
    world.model.resolutions.clear()
    assert world.name(make_job()) != first


def test_what_a_process_learned_of_the_model_does_not_make_the_work_another(world: World) -> None:
    first = world.name(make_job())
    resolve = world.model.resolve

    def resolve_later(version: int | None, **limits: Any) -> Any:
        return replace(resolve(version, **limits), class_count=None, batch_size=2)

    world.model.resolve = resolve_later  # type: ignore[method-assign]
    assert world.name(make_job()) == first


def test_another_profile_makes_the_work_another(world: World) -> None:
    first = world.name(make_job())
    resolve = world.model.resolve

    def resolve_otherwise(version: int | None, **limits: Any) -> Any:
        return replace(resolve(version, **limits), profile_sha256="1" * 64)

    world.model.resolve = resolve_otherwise  # type: ignore[method-assign]
    assert world.name(make_job()) != first


def test_options_that_an_older_record_lacks_have_their_default(world: World) -> None:
    job = make_job()
    options = {name: value for name, value in job.request.options.items() if name != "seed"}
    older = replace(job, request=replace(job.request, options=options))
    assert world.name(older) == world.name(make_job())


def test_another_label_map_is_other_work(world: World) -> None:
    names = []
    for split in (20, 40):
        job = make_job(options={"segmentation": {"method": "custom"}}, has_segments=True)
        labels = np.zeros((40, 60), np.uint8)
        labels[:, split:] = 7
        world.blobs.put(upload_segments_key(job.ref), png(labels))
        names.append(world.name(job))
    assert names[0] != names[1]


def test_a_job_that_starts_again_on_another_version_leaves_those_who_followed(
    world: World,
) -> None:
    def gone(_: int) -> None:
        world.model.on_batch = lambda _: None
        raise ModelVersionGone("Version 3 is gone.", grpc_status="NOT_FOUND", retryable=False)

    world.model.versions, world.model.on_batch = [3, 4], gone
    assert world.run(make_job()) == "succeeded"
    assert world.store.joined[1:] == [None]


def test_a_store_that_is_away_hands_the_job_back(world: World) -> None:
    def away() -> None:
        raise StoreUnavailable("away")

    world.store.before["join"] = away
    assert world.run(make_job()) == "handed-back"
    assert world.model.batches == 0


def test_switched_off_every_job_does_its_own_work(world: World) -> None:
    world.changes["reuse_results"] = False
    for _ in range(2):
        assert world.run(make_job()) == "succeeded"
    assert world.store.joined == []
