"""A job with a label map of the client's own: its answers speak in the client's numbers."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from PIL import Image

from tests.unit.fakes import make_job, png
from tests.unit.world import World
from worker.jobs.job import Job, upload_segments_key
from worker.result import UNSEEN
from worker.serving.preparation import Preparation

CUSTOM = {"segmentation": {"method": "custom"}}


def run(world: World, labels: np.ndarray) -> Job:
    job = world.submit(make_job(options=CUSTOM, has_segments=True))
    world.blobs.put(upload_segments_key(job.ref), png(labels))
    world.run(job)
    return world.store.get(job.ref)


def result_of(job: Job) -> dict[str, Any]:
    assert job.result is not None
    return dict(job.result)


def shown(world: World, job: Job) -> np.ndarray:
    with Image.open(io.BytesIO(world.artifact(job, "segments.png"))) as picture:
        return np.asarray(picture)


def thirds(*labels: int, dtype: type = np.uint8) -> np.ndarray:
    return np.repeat(np.array(labels, dtype), 20)[None, :].repeat(40, axis=0)


def test_every_answer_has_the_numbers_that_were_sent() -> None:
    world = World()
    sent = thirds(0, 7, 200)
    job = run(world, sent)
    result = result_of(job)
    assert result["segments"]["count"] == 3
    (one,) = result["explanations"]
    assert {top["segment"] for top in one["top_segments"]} == {0, 7, 200}
    boxes = {top["segment"]: top["bbox"] for top in one["top_segments"]}
    assert boxes[200][2] == 60
    np.testing.assert_array_equal(np.unique(shown(world, job)), [0, 7, 200])
    arrays = json.loads(world.artifact(job, "attributions.json"))
    assert arrays["segment_numbers"] == [0, 7, 200]
    found = dict(zip(arrays["segment_numbers"], arrays["classes"][0]["attributions"], strict=True))
    assert found == {top["segment"]: top["attribution"] for top in one["top_segments"]}


def test_labels_of_16_bits_keep_their_numbers() -> None:
    world = World()
    job = run(world, thirds(3, 40_000, 65_534, dtype=np.uint16))
    np.testing.assert_array_equal(np.unique(shown(world, job)), [3, 40_000, 65_534])


def test_a_label_that_vanished_is_a_warning_that_names_it() -> None:
    world = World()
    sent = thirds(2, 5, 7)
    sent[2, 0] = 9
    job = run(world, sent)
    assert 9 not in shown(world, job)
    named = [one for one in result_of(job)["warnings"] if one["code"] == "labels-vanished"]
    assert [one["text"].endswith("label 9.") for one in named] == [True]


def test_what_crop_cuts_off_has_no_label_on_the_upload() -> None:
    world = World()
    world.model.preparation = Preparation(resize="crop")
    sent = thirds(2, 5, 7)
    sent[:, :5] = 1
    job = run(world, sent)
    labels = shown(world, job)
    assert set(np.unique(labels)) == {2, 5, 7, UNSEEN}
    assert (labels[:, :10] == UNSEEN).all()
    assert (labels[:, 50:] == UNSEEN).all()
    codes = [one["code"] for one in result_of(job)["warnings"]]
    assert "labels-cut-off" in codes


def test_a_map_with_one_label_within_the_crop_fails_with_the_true_reason() -> None:
    world = World()
    world.model.preparation = Preparation(resize="crop")
    sent = np.full((40, 60), 2, np.uint8)
    sent[:, :8] = 1
    job = run(world, sent)
    assert job.error is not None
    assert job.error.type == "invalid-image"
    assert "Outside the part of the image that the model sees" in job.error.detail


def test_padding_is_no_segment_of_an_own_map() -> None:
    world = World()
    world.model.preparation = Preparation(resize="pad")
    job = run(world, thirds(2, 2, 5))
    result = result_of(job)
    assert result["segments"]["count"] == 2
    tops = result["explanations"][0]["top_segments"]
    assert all(top["bbox"] is not None for top in tops)
    assert sum(top["area"] for top in tops) == 1.0


def test_values_that_were_never_scaled_to_16_bits_are_told() -> None:
    world = World()
    noise = np.random.default_rng(0).integers(0, 4096, (40, 60)).astype(np.uint16)
    job = make_job()
    world.submit(job, image=png(noise))
    world.run(job)
    warnings = result_of(world.store.get(job.ref))["warnings"]
    (told,) = [one for one in warnings if one["code"] == "values-below-range"]
    assert "fits into 12 bits" in told["text"]
    assert "0 to 65535" in told["cure"]
