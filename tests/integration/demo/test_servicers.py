"""The stand-in's answers, over gRPC, with a model of a few numbers."""

from __future__ import annotations

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2

from deploy.demo.served_models import ServedModels

pytestmark = pytest.mark.integration


@pytest.fixture
def calls(tiny, serving):
    """Versions 1 and 2, `stable` is 1 and `lost` one that is not there; two images a call."""
    models = ServedModels({"tiny": tiny(1, 2)}, {"tiny": {"stable": 1, "lost": 9}})
    models.refresh()
    return serving(models, max_batch_size=2)


def refused(call):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code().name, caught.value.details()


def test_outputs_come_in_typed_fields(calls, image):
    outputs = calls.predict("tiny", {"image": image}).outputs
    assert list(outputs["rows"].int64_val) == [66, 210]
    assert outputs["share"].float_val[1] == pytest.approx(210 / 3060)
    assert list(outputs["names"].string_val) == [b"66", b"210"]
    assert [dim.size for dim in outputs["rows"].tensor_shape.dim] == [2]
    assert not any(output.tensor_content for output in outputs.values())


def test_output_filter_leaves_the_others_out(calls, image):
    outputs = calls.predict("tiny", {"image": image}, outputs=("share",)).outputs
    assert list(outputs) == ["share"]


def test_another_signature_takes_strings(calls):
    data = np.array([b"four", b"12"], dtype=object)
    response = calls.predict("tiny", {"data": data}, signature="strings")
    assert list(response.outputs["length"].int_val) == [4, 2]
    assert response.model_spec.signature_name == "strings"


@pytest.mark.parametrize(
    ("asked", "answered"),
    [({}, 2), ({"version": 1}, 1), ({"label": "stable"}, 1)],
    ids=["latest", "number", "label"],
)
def test_the_response_names_the_version_that_answered(calls, image, asked, answered):
    found = calls.predict("tiny", {"image": image}, **asked).model_spec
    assert (found.name, found.version.value, found.signature_name) == (
        "tiny", answered, "serving_default",
    )  # fmt: skip


def test_metadata_resolves_a_label_and_gives_the_signatures(calls):
    response = calls.metadata("tiny", "signature_def", label="stable")
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert response.model_spec.version.value == 1
    assert signatures.signature_def["serving_default"].inputs["image"].dtype == tf.uint8
    assert "length" in signatures.signature_def["strings"].outputs


def test_status_lists_all_versions_even_for_a_label(calls):
    statuses = calls.status("tiny", label="stable").model_version_status
    assert [(status.version, status.State.Name(status.state)) for status in statuses] == [
        (2, "AVAILABLE"),
        (1, "AVAILABLE"),
    ]
    assert all(status.status.error_code == 0 for status in statuses)


@pytest.mark.parametrize(
    ("asked", "code", "text"),
    [
        ({"name": "x"}, "NOT_FOUND", "Servable not found for request: Latest(x)"),
        ({"version": 7}, "NOT_FOUND", "Servable not found for request: Specific(tiny, 7)"),
        ({"label": "lost"}, "NOT_FOUND", "Servable not found for request: Specific(tiny, 9)"),
        ({"label": "new"}, "INVALID_ARGUMENT", "Unrecognized servable version label: new"),
        ({"name": ""}, "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        ({"signature": "s"}, "FAILED_PRECONDITION", 'Serving signature key "s" not found.'),
        (
            {"outputs": ("logits",)},
            "INVALID_ARGUMENT",
            (
                "output tensor alias not found in signature: logits "
                "Outputs expected to be in the set {names,rows,share}."
            ),
        ),
        (
            {"outputs": ("rows", "rows")},
            "INVALID_ARGUMENT",
            "duplicate output tensor alias: rows",
        ),
    ],
)
def test_a_request_for_what_is_not_there_is_refused(calls, image, asked, code, text):
    asked = {"name": "tiny", **asked}
    assert refused(lambda: calls.predict(inputs={"image": image}, **asked)) == (code, text)


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        (
            {},
            (
                "input size does not match signature: 0!=1 len({}) != len({image}). "
                "Sent extra: {}. Missing but required: {image}."
            ),
        ),
        (
            {"picture": np.zeros((1, 2, 2, 3), np.uint8)},
            (
                "Signature input alias: image(feed name: serving_default_image:0) not found in "
                "request and no default value provided. Inputs expected to be in the request "
                "{picture}, or default input alias set: "
            ),
        ),
        (
            {"image": np.zeros((3, 2, 2, 3), np.uint8)},
            "Task size 3 is larger than maximum input batch size 2",
        ),
        (
            {"image": np.uint8(1)},
            "Batching Run() input tensors must have at least one dimension",
        ),
    ],
    ids=["none", "another name", "too many", "no dimension"],
)
def test_inputs_that_do_not_fit_are_refused(calls, inputs, text):
    assert refused(lambda: calls.predict("tiny", inputs)) == ("INVALID_ARGUMENT", text)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (np.zeros((1, 2, 2, 3), np.float32), "float"),
        (np.zeros((1, 3), np.uint8), "Invalid reduction dimension"),
    ],
    ids=["dtype", "dimensions"],
)
def test_a_wrong_tensor_fails_in_the_graph(calls, wrong, text):
    code, details = refused(lambda: calls.predict("tiny", {"image": wrong}))
    assert code == "INVALID_ARGUMENT"
    assert text in details


def test_without_a_limit_any_batch_is_taken(tiny, serving):
    models = ServedModels({"tiny": tiny(1)}, {})
    models.refresh()
    many = np.zeros((100, 2, 2, 3), np.uint8)
    response = serving(models).predict("tiny", {"image": many}, outputs=("rows",))
    assert list(response.outputs["rows"].int64_val) == [0] * 100


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ((), "GetModelMetadataRequest must specify at least one metadata_field"),
        (("graph",), "Metadata field graph is not supported"),
    ],
)
def test_metadata_knows_signatures_only(calls, fields, text):
    assert refused(lambda: calls.metadata("tiny", *fields)) == ("INVALID_ARGUMENT", text)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"name": "x"}, "Could not find any versions of model x"),
        ({"name": "tiny", "version": 7}, "Could not find version 7 of model tiny"),
    ],
)
def test_status_of_what_has_never_been_there_is_not_found(calls, asked, text):
    assert refused(lambda: calls.status(**asked)) == ("NOT_FOUND", text)


def test_labels_are_unavailable_before_the_first_versions_are_loaded(tiny, serving, image):
    calls = serving(ServedModels({"tiny": tiny(1)}, {"tiny": {"stable": 1}}))
    assert refused(lambda: calls.predict("tiny", {"image": image}, label="stable")) == (
        "UNAVAILABLE",
        "Model labels does not init yet.stable",
    )
