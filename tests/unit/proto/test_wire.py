"""Our messages are TensorFlow Serving's on the wire: held against ``tensorflow-serving-api``.

TensorFlow is loaded once, here, into the process that has our stubs loaded too.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from worker.serving import rpc
from worker.serving.stubs import (
    model_pb2,
    model_service_pb2,
    prediction_service_pb2,
    tensor_pb2,
)

OURS = (tensor_pb2, model_pb2, prediction_service_pb2, model_service_pb2)

# An enum there and a number here: the same on the wire, and the list of codes stays theirs.
ENUM_THERE = {"StatusProto.error_code"}
# A member of a oneof there, alone here. Only what a lone field cannot say is lost.
IN_A_ONEOF_THERE = {"TensorInfo.name"}


def messages() -> dict[str, type[Message]]:
    found: dict[str, type[Message]] = {}
    for module in OURS:
        found |= {name: getattr(module, name) for name in module.DESCRIPTOR.message_types_by_name}
    return found


@pytest.fixture(scope="session")
def theirs() -> dict[str, type[Message]]:
    from deploy.demo.tensorflow_start import start_tensorflow  # noqa: PLC0415

    start_tensorflow()
    from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2  # noqa: PLC0415
    from tensorflow.core.protobuf import meta_graph_pb2  # noqa: PLC0415
    from tensorflow_serving.apis import (  # noqa: PLC0415
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_pb2,
        predict_pb2,
        status_pb2,
    )

    modules: list[ModuleType] = [
        tensor_pb2,
        tensor_shape_pb2,
        meta_graph_pb2,
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_pb2,
        predict_pb2,
        status_pb2,
    ]
    wanted = messages()
    return {
        name: getattr(module, name)
        for module in modules
        for name in module.DESCRIPTOR.message_types_by_name
        if name in wanted
    }


def fill(message: Message, *, depth: int = 0) -> Message:
    """Set every field that we know, each to a value of its own, members of a oneof in turn."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            fill_map(message, field, depth)
        elif field.message_type is not None:
            target = getattr(message, field.name)
            for one in [target.add(), target.add()] if field.is_repeated else [target]:
                one.SetInParent()
                fill(one, depth=depth + 1)
        elif field.is_repeated:
            getattr(message, field.name).extend([value_of(field), value_of(field, 1)])
        else:
            setattr(message, field.name, value_of(field))
    return message


def fill_map(message: Message, field: FieldDescriptor, depth: int) -> None:
    entries = getattr(message, field.name)
    for key in ("first", "second"):
        fill(entries[key], depth=depth + 1)


def value_of(field: FieldDescriptor, plus: int = 0) -> Any:
    if field.enum_type is not None:
        return field.enum_type.values[-1 - plus].number
    if field.type == FieldDescriptor.TYPE_STRING:
        return f"{field.name} ü {plus}"
    if field.type == FieldDescriptor.TYPE_BYTES:
        return bytes([0, 255, field.number, plus])
    if field.type == FieldDescriptor.TYPE_BOOL:
        return True
    if field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return field.number + 0.25 + plus
    # Large and negative numbers tell int32 from sint32 and fixed32.
    return -(2**30) - field.number + plus


@pytest.mark.parametrize("name", sorted(messages()))
def test_what_we_serialise_they_read_and_write_again_as_the_same_bytes(
    name: str, theirs: dict[str, type[Message]]
) -> None:
    ours = fill(messages()[name]())
    data = ours.SerializeToString(deterministic=True)
    parsed = theirs[name].FromString(data)
    assert parsed.SerializeToString(deterministic=True) == data
    assert unknown_fields(parsed) == 0
    assert data


@pytest.mark.parametrize("name", sorted(messages()))
def test_what_they_serialise_we_read_and_write_again_as_the_same_bytes(
    name: str, theirs: dict[str, type[Message]]
) -> None:
    message = theirs[name].FromString(fill(messages()[name]()).SerializeToString())
    data = message.SerializeToString(deterministic=True)
    parsed = messages()[name].FromString(data)
    assert parsed == fill(messages()[name]())
    assert parsed.SerializeToString(deterministic=True) == data


@pytest.mark.parametrize("name", sorted(messages()))
def test_every_field_has_their_number_name_and_type(
    name: str, theirs: dict[str, type[Message]]
) -> None:
    assert_alike(messages()[name].DESCRIPTOR, theirs[name].DESCRIPTOR)


def assert_alike(ours: Descriptor, theirs: Descriptor) -> None:
    for field in ours.fields:
        other = theirs.fields_by_number[field.number]
        place = f"{ours.name}.{field.name}"
        assert other.name == field.name, place
        assert other.is_repeated == field.is_repeated, place
        assert other.is_packed == field.is_packed, place
        if place in ENUM_THERE:
            assert other.enum_type is not None
            continue
        assert other.type == field.type, place
        oneofs = [one.containing_oneof and one.containing_oneof.name for one in (field, other)]
        assert oneofs[0] == oneofs[1] or place in IN_A_ONEOF_THERE, place
        if field.enum_type is not None:
            known = {value.name: value.number for value in other.enum_type.values}
            assert {value.name: value.number for value in field.enum_type.values}.items() <= (
                known.items()
            ), place
        if field.message_type is not None:
            assert field.message_type.name == other.message_type.name, place
    for nested in ours.nested_types:
        assert_alike(nested, theirs.nested_types_by_name[nested.name])


def test_what_we_do_not_know_survives_our_hands(theirs: dict[str, type[Message]]) -> None:
    message = theirs["PredictRequest"](client_id=b"a client")
    message.model_spec.name = "model"
    data = message.SerializeToString(deterministic=True)
    parsed = prediction_service_pb2.PredictRequest.FromString(data)
    assert parsed.SerializeToString(deterministic=True) == data


def test_the_empty_and_the_two_choices_of_a_version_are_the_same_bytes(
    theirs: dict[str, type[Message]],
) -> None:
    for choice in (
        {},
        {"version": {"value": 0}},
        {"version": {"value": 7}},
        {"version_label": "a"},
    ):
        ours = model_pb2.ModelSpec(**choice)
        data = theirs["ModelSpec"](**choice).SerializeToString()
        assert ours.SerializeToString() == data
        assert model_pb2.ModelSpec.FromString(data) == ours


def test_tensors_made_by_tensorflow_are_read_and_ours_by_tensorflow(
    theirs: dict[str, type[Message]],
) -> None:
    import numpy as np  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    from worker.serving import tensors  # noqa: PLC0415

    values = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    for dtype in (tf.float32, tf.float64, tf.float16, tf.bfloat16):
        expected = tf.cast(values, dtype)
        made = tf.make_tensor_proto(expected.numpy(), dtype=dtype)
        typed = tensor_pb2.TensorProto.FromString(made.SerializeToString())
        np.testing.assert_array_equal(
            tensors.to_floats(typed), tf.cast(expected, tf.float64).numpy()
        )
    constant = tf.make_tensor_proto(0.5, shape=(4, 3), dtype=tf.float32)
    once = tensor_pb2.TensorProto.FromString(constant.SerializeToString())
    assert len(once.float_val) == 1
    np.testing.assert_array_equal(tensors.to_floats(once), np.full((4, 3), 0.5))

    for array in (values, (values * 9).astype(np.uint8)):
        sent = theirs["TensorProto"].FromString(tensors.from_array(array).SerializeToString())
        np.testing.assert_array_equal(tf.make_ndarray(sent), array)
    strings = tensors.from_strings([b"\x89PNG", b"", b"\xff"])
    sent = theirs["TensorProto"].FromString(strings.SerializeToString())
    assert tf.make_ndarray(sent).tolist() == [b"\x89PNG", b"", b"\xff"]


def test_methods_are_called_by_their_paths(theirs: dict[str, type[Message]]) -> None:
    from tensorflow_serving.apis import (  # noqa: PLC0415
        model_service_pb2 as their_model_service,
    )
    from tensorflow_serving.apis import (  # noqa: PLC0415
        prediction_service_pb2 as their_prediction_service,
    )

    paths = {
        f"/{service.full_name}/{method.name}": (method.input_type.name, method.output_type.name)
        for module in (their_model_service, their_prediction_service)
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    for module in (prediction_service_pb2, model_service_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                path = f"/tensorflow.serving.{service.name}/{method.name}"
                assert paths[path] == (method.input_type.name, method.output_type.name)
    ours = {rpc.PREDICT, rpc.GET_MODEL_METADATA, rpc.GET_MODEL_STATUS}
    assert ours <= paths.keys()


def test_nothing_of_ours_has_a_name_of_theirs_in_the_descriptor_pool() -> None:
    for module in OURS:
        assert module.DESCRIPTOR.package == "limelight.serving"
        assert module.DESCRIPTOR.name.startswith("worker/serving/stubs/")


def test_the_protobuf_that_we_ask_for_can_load_the_stubs() -> None:
    root = Path(__file__).parents[3]
    stub = (root / "worker/serving/stubs/tensor_pb2.py").read_text()
    made_by = re.search(r"Protobuf Python Version: (\d+)\.(\d+\.\d+)", stub)
    assert made_by is not None
    major, rest = made_by.groups()
    # Code loads with the protobuf that it was made for and up to the end of the next major.
    wanted = f'"protobuf>={major}.{rest},<{int(major) + 2}"'
    assert wanted in (root / "pyproject.toml").read_text()


def unknown_fields(message: Message) -> int:
    from google.protobuf.unknown_fields import UnknownFieldSet  # noqa: PLC0415

    return len(UnknownFieldSet(message))
