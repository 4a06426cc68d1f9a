from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.fakes import make_job
from worker.jobs.job import Job, UploadedImage
from worker.jobs.sharing import without_costs, work_name

JOB = make_job(classes={"top": 2}, overlays=("signed", "heatmap"))
PARTS: Mapping[str, Any] = {
    "segments_sha256": None,
    "model": {"name": "m", "version": 3, "labels": ("a", "b")},
    "options": {"seed": 7, "samples": 100, "segmentation": {"method": "slic", "sigma": 0.5}},
    "libraries": {"limelight": "0.1.0", "numpy": "2.4"},
}
NAME = work_name(JOB, **PARTS)


def changed(**request: Any) -> Job:
    return replace(JOB, request=replace(JOB.request, **request))


def test_a_name_is_a_digest() -> None:
    assert len(NAME) == 64
    assert int(NAME, 16)


@pytest.mark.parametrize(
    "job",
    [
        make_job(classes={"top": 2}, overlays=("signed", "heatmap")),
        changed(metadata={"ticket": "4711"}),
        changed(preset="lime"),
        changed(version=3),
        changed(overlays=JOB.request.overlays[::-1]),
        replace(JOB, queue="bulk", retention_s=60, created_at=5.0),
    ],
    ids=["itself", "metadata", "preset", "version asked for", "order of overlays", "queue"],
)
def test_what_does_not_change_the_result_does_not_change_the_name(job: Job) -> None:
    assert work_name(job, **PARTS) == NAME


def test_order_and_spelling_of_options_do_not_change_the_name() -> None:
    options = {"segmentation": {"sigma": 0.5, "method": "slic"}, "samples": 100.0, "seed": 7}
    assert work_name(JOB, **{**PARTS, "options": options}) == NAME


@pytest.mark.parametrize(
    "job",
    [
        replace(JOB, image=UploadedImage(sha256="1" * 64, width=60, height=40)),
        changed(classes={"top": 3}),
        changed(classes=(1, 2)),
        changed(overlays=JOB.request.overlays[:1]),
        changed(overlays=({**JOB.request.overlays[0], "format": "webp"},)),
    ],
    ids=["image", "top", "classes", "fewer overlays", "format"],
)
def test_another_image_and_other_wishes_are_other_work(job: Job) -> None:
    assert work_name(job, **PARTS) != NAME


@pytest.mark.parametrize(
    "part",
    [
        {"segments_sha256": "0" * 64},
        {"model": {**PARTS["model"], "version": 4}},
        {"model": {**PARTS["model"], "labels": ("a", "c")}},
        {"options": {**PARTS["options"], "seed": 8}},
        {"options": {**PARTS["options"], "segmentation": {"method": "slic", "sigma": 0.25}}},
        {"libraries": {**PARTS["libraries"], "limelight": "0.2.0"}},
    ],
    ids=["label map", "version", "labels", "seed", "nested option", "limelight"],
)
def test_another_model_option_or_library_is_other_work(part: Mapping[str, Any]) -> None:
    assert work_name(JOB, **{**PARTS, **part}) != NAME


def test_classes_in_another_order_are_other_work() -> None:
    assert work_name(changed(classes=(1, 2)), **PARTS) != work_name(
        changed(classes=(2, 1)), **PARTS
    )


def test_a_shared_result_costs_its_job_the_wait_alone() -> None:
    result = {
        "samples": {"used": 64, "images_scored": 66, "model_calls": 5},
        "timings": {"queued_s": 7.0, "predict_s": 3.5},
        "fence": 2,
    }
    job = replace(JOB, created_at=10.0, started_at=10.5, result=result, computed_by="exp_x")
    assert without_costs(job).result == {
        "samples": {"used": 64, "images_scored": 0, "model_calls": 0},
        "timings": {"queued_s": 0.5, "predict_s": 0.0},
        "fence": 2,
    }
    assert result["timings"]["predict_s"] == 3.5


def test_a_job_without_a_result_has_no_costs_to_leave_out() -> None:
    assert without_costs(JOB) is JOB
