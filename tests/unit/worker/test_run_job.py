from __future__ import annotations

import json
import time

import numpy as np
import pytest
from PIL import Image

from tests.unit.fakes import FakeStore, make_job, png
from tests.unit.world import World
from worker.jobs.errors import StoreFull, StoreUnavailable
from worker.jobs.job import JobRef, upload_key
from worker.jobs.traffic import ModelBusy, Reason
from worker.ports import Limits
from worker.run_job import run_job
from worker.serving.errors import ModelVersionGone, PredictorDeadline, PredictorUnavailable


@pytest.fixture
def world() -> World:
    return World()


def test_a_job_is_explained_stored_and_ended_in_one_go(world: World) -> None:
    job = world.submit(make_job(overlays=("signed", "heatmap"), classes={"top": 2}))

    assert world.run(job) == "succeeded"

    ended = world.store.get(job.ref)
    assert ended.status == "succeeded"
    result = ended.result
    assert result is not None
    assert result["model"]["version"] == 3
    assert result["fence"] == 1
    assert result["predictions"][0]["class_name"] == "north-east"
    assert result["samples"]["model_calls"] == world.model.batches
    assert result["libraries"] == {"limelight": "0.1.0"}
    for explanation in result["explanations"]:
        assert explanation["overlays"] == {"signed": "png", "heatmap": "png"}
        for style in ("signed", "heatmap"):
            path = f"overlays/{explanation['class_index']}/{style}.png"
            assert world.artifact(job, path).startswith(b"\x89PNG")
    assert json.loads(json.dumps(result)) == result


def test_the_arrays_are_in_pixels_of_the_upload(world: World, tmp_path: object) -> None:
    job = world.submit(make_job())
    world.run(job)

    arrays = json.loads(world.artifact(job, "attributions.json"))
    assert (arrays["width"], arrays["height"]) == (60, 40)
    assert sum(arrays["areas"]) == pytest.approx(1.0)
    assert len(arrays["classes"][0]["attributions"]) == arrays["segments"]["count"]


def test_the_brightest_quadrant_holds_the_segment_that_counts_most(world: World) -> None:
    job = world.submit(make_job(classes=(1,)))
    world.run(job)

    result = world.store.get(job.ref).result
    assert result is not None
    x0, y0, x1, y1 = result["explanations"][0]["top_segments"][0]["bbox"]
    assert (x0 + x1) / 2 > 30
    assert (y0 + y1) / 2 < 20


def test_the_same_request_and_seed_give_the_same_bytes(world: World) -> None:
    first, second = (
        world.submit(make_job(overlays=("signed", "sheet"), options={"seed": 5})) for _ in range(2)
    )
    world.run(first)
    world.run(second)

    names = ("attributions.json", "segments.png", "overlays/1/signed.png", "overlays/1/sheet.png")
    for name in names:
        assert world.artifact(first, name) == world.artifact(second, name)


def test_a_job_that_cannot_be_claimed_ends_the_task_quietly(world: World) -> None:
    job = world.submit(make_job())
    world.run(job)

    assert world.run(job) == "refused"
    assert run_job(JobRef.new(), ports=world.ports()) == "refused"
    assert world.store.get(job.ref).attempts == 1


def test_a_store_that_is_away_at_the_claim_leaves_the_job_to_the_sweeper(world: World) -> None:
    job = world.submit(make_job())
    world.store.before["claim"] = raises(StoreUnavailable("redis is away"))

    assert world.run(job) == "lost"


def test_a_cancel_before_the_start_costs_no_model_call(world: World) -> None:
    job = world.submit(make_job())
    world.store.request_cancel(job.ref)

    assert world.run(job) == "canceled"
    assert world.store.get(job.ref).status == "canceled"
    assert world.model.batches == 0


def test_a_cancel_stops_at_the_next_batch_and_ends_the_calls_in_flight(world: World) -> None:
    job = world.submit(make_job(options={"samples": 1000, "stopping": "fixed"}))

    def cancel_at_the_third(batches: int) -> None:
        if batches == 3:
            world.store.request_cancel(job.ref)
            wait_for_a_renewal(world.store)

    world.model.on_batch = cancel_at_the_third

    assert world.run(job) == "canceled"
    assert world.model.batches <= 5
    assert world.model.closed == 1


def test_a_worker_that_lost_its_lease_changes_nothing(world: World) -> None:
    job = world.submit(make_job())
    world.model.on_batch = lambda batches: world.store.steal(job.ref) if batches == 2 else None

    assert world.run(job) == "lost"
    left = world.store.get(job.ref)
    assert (left.status, left.worker, left.result) == ("processing", "another", None)


def test_a_lease_that_is_lost_at_the_very_end_refuses_the_result(world: World) -> None:
    job = world.submit(make_job())
    world.store.before["succeed"] = lambda: world.store.steal(job.ref)

    assert world.run(job) == "lost"
    assert world.store.get(job.ref).status == "processing"


def test_a_shutdown_hands_the_job_back_without_counting_the_attempt(world: World) -> None:
    job = world.submit(make_job())

    def shut_down(_: int) -> None:
        world.shutting_down = True

    world.model.on_batch = shut_down

    assert world.run(job) == "handed-back"
    left = world.store.get(job.ref)
    assert (left.status, left.attempts) == ("queued", 0)
    assert world.model.batches == 1


def test_a_child_that_is_made_to_exit_hands_its_job_back_first(world: World) -> None:
    job = world.submit(make_job())
    world.model.on_batch = raises(SystemExit(0))

    with pytest.raises(SystemExit):
        world.run(job)
    left = world.store.get(job.ref)
    assert (left.status, left.attempts) == ("queued", 0)


def test_a_job_over_its_time_limit_fails_as_timed_out(world: World) -> None:
    world.limits = Limits(job_limit_s=0.0)
    job = world.submit(make_job())

    assert world.run(job) == "failed"
    error = world.store.get(job.ref).error
    assert error is not None
    assert (error.type, error.retryable) == ("timed-out", True)


def test_a_version_that_goes_away_is_followed_once_and_said(world: World) -> None:
    job = world.submit(make_job())
    world.model.versions = [3, 4]
    world.model.on_batch = gone_at({1})

    assert world.run(job) == "succeeded"
    result = world.store.get(job.ref).result
    assert result is not None
    assert result["model"]["version"] == 4
    assert any("version 4" in warning["text"] for warning in result["warnings"])


@pytest.mark.parametrize(
    ("asked", "versions", "gone"),
    [(3, [3, 4], {1}), (None, [3, 3], {1}), (None, [3, 4], {1, 4})],
    ids=["asked for", "no other is served", "gone twice"],
)
def test_a_version_that_cannot_be_followed_fails_the_job(
    world: World, asked: int | None, versions: list[int], gone: set[int]
) -> None:
    job = world.submit(make_job(version=asked))
    world.model.versions = versions
    world.model.on_batch = gone_at(gone)

    assert world.run(job) == "failed"
    error = world.store.get(job.ref).error
    assert error is not None
    assert error.type == "model-version-gone"


def test_a_model_servers_failure_is_told_with_its_status(world: World) -> None:
    job = world.submit(make_job())
    world.model.on_batch = raises(
        PredictorDeadline("It hangs.", grpc_status="DEADLINE_EXCEEDED", context="10.0.0.7")
    )

    assert world.run(job) == "failed"
    error = world.store.get(job.ref).error
    assert error is not None
    assert (error.type, error.grpc_status) == ("predictor-deadline", "DEADLINE_EXCEEDED")
    assert error.retryable
    assert "10.0.0.7" not in error.detail
    assert world.seats.log == ["knock", "enter", "failed"]


def test_a_job_whose_model_server_is_away_waits_for_it(world: World) -> None:
    job = world.submit(make_job())
    world.model.on_batch = raises(PredictorUnavailable("It is away.", grpc_status="UNAVAILABLE"))

    assert world.run(job) == "handed-back"
    left = world.store.get(job.ref)
    assert (left.status, left.attempts, left.waiting_for) == ("queued", 0, "model-unavailable")
    assert world.seats.log == ["knock", "enter", "failed"]


@pytest.mark.parametrize(
    ("reason", "shown"),
    [("model-busy", "model-busy"), ("circuit-open", "model-unavailable")],
)
def test_a_job_that_finds_no_seat_goes_back_and_says_why(
    world: World, reason: Reason, shown: str
) -> None:
    job = world.submit(make_job())
    world.seats.busy = ModelBusy("quadrants", reason, 3.5)

    assert world.run(job) == "handed-back"
    left = world.store.get(job.ref)
    assert (left.status, left.attempts, left.waiting_for) == ("queued", 0, shown)
    assert left.not_before == world.store.now + 3.5
    assert world.model.batches == 0


def test_a_job_gives_its_seat_up_and_says_that_the_model_worked(world: World) -> None:
    world.run(world.submit(make_job()))
    assert (world.seats.log[:2], world.seats.log[-1]) == (["knock", "enter"], "worked")


def test_who_waits_for_the_seat_is_called_and_after_one_that_has_ended_the_next(
    world: World,
) -> None:
    over, waiting, later = (JobRef.new() for _ in range(3))
    world.seats.waiting, world.seats.ended = [over, waiting, later], {over}
    world.run(world.submit(make_job()))
    assert world.seats.log[-4:] == ["worked", f"call {over}", "neither", f"call {waiting}"]


def test_a_worker_that_lost_its_lease_does_not_give_up_the_seat_of_the_next(world: World) -> None:
    job = world.submit(make_job())
    world.model.on_batch = lambda _: world.store.steal(job.ref)
    assert world.run(job) == "lost"
    assert world.seats.log[-1] == "enter"


def test_a_seat_that_cannot_be_given_up_does_not_fail_the_job(world: World) -> None:
    job = world.submit(make_job())
    world.seats.away = StoreUnavailable("redis restarts")
    assert world.run(job) == "succeeded"


def test_the_seat_is_renewed_while_the_job_runs(world: World) -> None:
    job = world.submit(make_job())
    slept = []

    def slowly(_: int) -> None:
        if not slept:
            slept.append(time.sleep(0.1))

    world.model.on_batch = slowly
    assert world.run(job) == "succeeded"
    assert "renew 4" in world.seats.log


def test_a_mistake_of_ours_fails_the_job_at_once_and_tells_nothing(world: World) -> None:
    job = world.submit(make_job())
    world.model.on_batch = raises(KeyError("/srv/secret/path"))

    assert world.run(job) == "failed"
    left = world.store.get(job.ref)
    assert left.error is not None
    assert (left.error.type, left.error.retryable) == ("internal", False)
    assert "secret" not in left.error.detail
    assert world.run(job) == "refused"


@pytest.mark.parametrize(
    ("error", "attempts"),
    [(MemoryError(), 1), (StoreFull("full"), 0), (StoreUnavailable("away"), 0)],
)
def test_what_may_pass_hands_the_job_back_and_only_memory_counts(
    world: World, error: Exception, attempts: int
) -> None:
    job = world.submit(make_job())
    world.model.on_batch = raises(error)

    assert world.run(job) == "handed-back"
    left = world.store.get(job.ref)
    assert (left.status, left.attempts) == ("queued", attempts)
    assert left.not_before is not None
    assert left.not_before > world.store.now


def test_a_full_store_is_asked_less_often_each_time_and_for_as_long_as_it_takes(
    world: World,
) -> None:
    job = world.submit(make_job())
    world.model.on_batch = raises(StoreFull("full"))
    waits = []
    for _ in range(6):
        assert world.run(job) == "handed-back"
        not_before = world.store.get(job.ref).not_before
        assert not_before is not None
        waits.append(not_before - world.store.now)
        world.store.now = not_before
    assert waits == [5, 10, 20, 40, 60, 60]


def test_a_store_that_is_away_for_a_moment_still_gets_the_result(world: World) -> None:
    job = world.submit(make_job())
    world.store.before["succeed"] = raises_once(StoreUnavailable("redis restarts"))
    world.store.before["report"] = raises_once(StoreUnavailable("redis restarts"))

    assert world.run(job) == "succeeded"
    assert world.store.get(job.ref).status == "succeeded"


def test_a_store_that_stays_full_leaves_the_job_to_the_sweeper(world: World) -> None:
    job = world.submit(make_job())
    world.store.before["succeed"] = raises(StoreFull("full"))

    assert world.run(job) == "lost"
    assert world.store.get(job.ref).status == "processing"


@pytest.mark.parametrize(
    ("image", "failure"),
    [
        (b"not an image", "invalid-image"),
        (png(np.full((40, 60, 3), 90, np.uint8)), "image-too-uniform"),
    ],
)
def test_an_image_that_cannot_be_explained_fails_with_its_reason(
    world: World, image: bytes, failure: str
) -> None:
    options = {"segmentation": {"method": "quickshift"}}
    job = world.submit(make_job(options=options), image=image)

    assert world.run(job) == "failed"
    error = world.store.get(job.ref).error
    assert error is not None
    assert error.type == failure


def test_an_upload_that_is_gone_fails_the_job(world: World) -> None:
    job = world.submit(make_job())
    del world.blobs.data[upload_key(job.ref)]

    assert world.run(job) == "failed"
    error = world.store.get(job.ref).error
    assert error is not None
    assert "Post it again" in error.detail


def test_a_model_that_no_profile_names_fails_the_job(world: World) -> None:
    job = world.submit(make_job(model="unheard-of"))

    assert world.run(job) == "failed"
    error = world.store.get(job.ref).error
    assert error is not None
    assert "unheard-of" in error.detail


def test_progress_tells_each_stage_and_little_more(world: World) -> None:
    job = world.submit(make_job())
    world.run(job)

    stages = list(dict.fromkeys(report.stage for report in world.store.reports))
    assert stages[:2] == ["segmenting", "sampling"]
    assert stages[-1] == "drawing"
    assert len(world.store.reports) <= 8


def test_the_label_map_is_sixteen_bits_and_numbered_as_the_arrays(world: World, tmp_path) -> None:
    job = world.submit(make_job())
    world.run(job)

    path = tmp_path / "segments.png"
    path.write_bytes(world.artifact(job, "segments.png"))
    with Image.open(path) as picture:
        labels = np.asarray(picture)
    assert labels.dtype == np.uint16
    assert labels.shape == (40, 60)
    assert set(np.unique(labels)) == set(range(16))


def raises(error: BaseException):
    def hook(*_: object) -> None:
        raise error

    return hook


def raises_once(error: Exception):
    pending = [error]

    def hook() -> None:
        if pending:
            raise pending.pop()

    return hook


def gone_at(batches: set[int]):
    """The version is gone at these numbers of batches scored."""
    left = set(batches)

    def hook(scored: int) -> None:
        if scored in left:
            left.discard(scored)
            raise ModelVersionGone("It was unloaded.")

    return hook


def wait_for_a_renewal(store: FakeStore) -> None:
    seen = store.renewals
    give_up = time.monotonic() + 5
    while store.renewals < seen + 2:
        assert time.monotonic() < give_up
        time.sleep(0.005)
