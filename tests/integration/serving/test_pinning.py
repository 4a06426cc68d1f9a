from __future__ import annotations

import numpy as np
import pytest

from tests.integration.serving.conftest import MakeModel
from tests.integration.serving.server import CLASSES, HEIGHT, WIDTH, Serving, image_signature
from worker.serving.errors import (
    BadModelOutput,
    ModelVersionGone,
    PredictorRejected,
    PredictorUnavailable,
)
from worker.serving.model import ServedModel

pytestmark = pytest.mark.integration

IMAGE = np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)


def test_the_latest_version_is_pinned_and_described(model: ServedModel, serving: Serving) -> None:
    serving.versions = {1: image_signature(), 7: image_signature()}
    resolved = model.resolve(None, timeout_s=5)
    assert resolved.version == 7
    assert (resolved.name, resolved.signature) == ("colours", "serving_default")
    assert (resolved.input_size, resolved.channels, resolved.dtype) == (
        (HEIGHT, WIDTH),
        3,
        "float32",
    )
    assert (resolved.layout, resolved.class_count) == ("NHWC", CLASSES)


def test_a_label_is_resolved_to_its_version(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    serving.versions = {1: image_signature(), 7: image_signature()}
    serving.labels = {"stable": 1}
    assert make_model(port, version_label="stable").resolve(None, timeout_s=5).version == 1


def test_the_version_of_a_job_goes_before_the_label_of_the_profile(
    make_model: MakeModel, port: int, serving: Serving
) -> None:
    serving.versions = {1: image_signature(), 7: image_signature()}
    serving.labels = {"stable": 1}
    assert make_model(port, version_label="stable").resolve(7, timeout_s=5).version == 7


def test_each_predict_asks_for_the_pinned_version_the_signature_and_one_output(
    model: ServedModel, serving: Serving
) -> None:
    resolved = model.resolve(None, timeout_s=5)
    serving.versions[9] = image_signature()
    list(model.predictor(resolved, deadline_s=5)([IMAGE, IMAGE]))
    assert [request.model_spec.version.value for request in serving.seen] == [3, 3]
    assert {request.model_spec.name for request in serving.seen} == {"colours-servable"}
    assert {request.model_spec.signature_name for request in serving.seen} == {"serving_default"}
    assert [list(request.output_filter) for request in serving.seen] == [["scores"]] * 2


def test_an_answer_of_another_version_is_refused(model: ServedModel, serving: Serving) -> None:
    resolved = model.resolve(None, timeout_s=5)
    serving.answers_as = 4
    with pytest.raises(BadModelOutput, match="version 3 and answered as version 4"):
        list(model.predictor(resolved, deadline_s=5)([IMAGE]))


def test_a_version_that_is_unloaded_in_the_middle_is_gone_after_a_brief_retry(
    model: ServedModel, serving: Serving
) -> None:
    predictor = model.predictor(model.resolve(None, timeout_s=5), deadline_s=5)
    scores = predictor([IMAGE, IMAGE, IMAGE, IMAGE])
    next(scores)
    serving.versions = {4: image_signature()}
    with pytest.raises(ModelVersionGone, match="Version 3 of model 'colours'") as caught:
        list(scores)
    assert caught.value.grpc_status == "NOT_FOUND"
    assert predictor.retries > 0


def test_a_version_that_is_not_served_is_gone(model: ServedModel) -> None:
    with pytest.raises(ModelVersionGone, match="Version 99"):
        model.resolve(99, timeout_s=5)


def test_a_model_that_is_not_served_is_unavailable(model: ServedModel, serving: Serving) -> None:
    serving.versions = {}
    with pytest.raises(PredictorUnavailable, match="does not serve model 'colours'"):
        model.resolve(None, timeout_s=5)


def test_an_unknown_label_is_rejected(make_model: MakeModel, port: int) -> None:
    with pytest.raises(PredictorRejected, match="version label"):
        make_model(port, version_label="nightly").resolve(None, timeout_s=5)
