from __future__ import annotations

import numpy as np
import pytest

from worker.serving import tensors
from worker.serving.stubs.tensor_pb2 import DataType, TensorProto, TensorShapeProto


def tensor(dtype: int, *sizes: int, **fields: object) -> TensorProto:
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes])
    return TensorProto(dtype=dtype, tensor_shape=shape, **fields)


VALUES = np.array([[0.5, -2.0, 3.25], [1e-3, 0.0, 7.0]])


def test_an_array_may_change_once_it_is_a_tensor() -> None:
    array = np.ones((2, 3), np.float32)
    made = tensors.from_array(array)
    array[:] = 0
    np.testing.assert_array_equal(tensors.to_floats(made), np.ones((2, 3)))


def test_an_array_with_moved_axes_is_sent_in_the_order_of_its_own_axes() -> None:
    moved = np.arange(6, dtype=np.uint8).reshape(2, 3).T
    assert tensors.from_array(moved).tensor_content == bytes([0, 3, 1, 4, 2, 5])


@pytest.mark.parametrize(
    ("dtype", "field", "wire"),
    [
        (DataType.DT_FLOAT, "float_val", "<f4"),
        (DataType.DT_DOUBLE, "double_val", "<f8"),
        (DataType.DT_HALF, "half_val", "<f2"),
    ],
)
def test_content_and_typed_fields_say_the_same(dtype: int, field: str, wire: str) -> None:
    stored = VALUES.astype(wire)
    typed = stored.view("<u2") if field == "half_val" else stored
    content = tensor(dtype, 2, 3, tensor_content=stored.tobytes())
    fields = tensor(dtype, 2, 3, **{field: typed.ravel().tolist()})
    expected = stored.astype(np.float64)
    for one in (content, fields):
        read = tensors.to_floats(one)
        assert read.dtype == np.float64
        np.testing.assert_array_equal(read, expected)


def test_bfloat16_is_the_upper_half_of_a_float() -> None:
    bits = [0x3F80, 0xC000, 0x0000]
    expected = [1.0, -2.0, 0.0]
    fields = tensor(DataType.DT_BFLOAT16, 3, half_val=bits)
    content = tensor(DataType.DT_BFLOAT16, 3, tensor_content=np.array(bits, "<u2").tobytes())
    for one in (fields, content):
        np.testing.assert_array_equal(tensors.to_floats(one), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int32", "int64"])
def test_pixels_of_any_type_come_back_as_they_were(dtype: str) -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(2, 128)
    made = tensors.from_array(pixels, dtype)
    assert tensors.DTYPES[made.dtype] == dtype
    assert len(made.tensor_content) == 256 * tensors.item_bytes(dtype)
    read = tensors.to_names(made) if dtype.startswith("int") else tensors.to_floats(made)
    np.testing.assert_array_equal(read, pixels)


@pytest.mark.parametrize(
    ("value", "nearest"),
    # bfloat16 has 8 bits: of 1 + n / 128 a half is rounded to the even neighbour.
    [(1 + 1 / 256, 1.0), (1 + 3 / 256, 1 + 2 / 128), (1.01, 1.0078125), (-2.1179, -2.125)],
)
def test_a_number_that_bfloat16_does_not_have_becomes_the_nearest(
    value: float, nearest: float
) -> None:
    made = tensors.from_array(np.array([value], np.float32), "bfloat16")
    assert tensors.to_floats(made) == [nearest]


def test_names_are_read_from_whichever_field_holds_them() -> None:
    numbers = [[7, 3], [3, 7]]
    flat = [number for row in numbers for number in row]
    content = np.array(flat, "<i4").tobytes()
    for made in (
        tensor(DataType.DT_INT64, 2, 2, int64_val=flat),
        tensor(DataType.DT_INT32, 2, 2, int_val=flat),
        tensor(DataType.DT_INT32, 2, 2, tensor_content=content),
    ):
        np.testing.assert_array_equal(tensors.to_names(made), numbers)
    words = tensor(DataType.DT_STRING, 2, 1, string_val=[b"ant", b"bee"])
    assert tensors.to_names(words).tolist() == [[b"ant"], [b"bee"]]
    whole = tensor(DataType.DT_FLOAT, 2, 2, float_val=flat)
    np.testing.assert_array_equal(tensors.to_names(whole), numbers)
    with pytest.raises(ValueError, match="not whole"):
        tensors.to_names(tensor(DataType.DT_FLOAT, 1, float_val=[1.5]))
    with pytest.raises(ValueError, match="neither names nor numbers"):
        tensors.to_names(tensor(10, 1))


def test_the_last_of_too_few_numbers_stands_for_the_rest() -> None:
    short = tensor(DataType.DT_FLOAT, 2, 2, float_val=[1.0, 0.5])
    np.testing.assert_array_equal(tensors.to_floats(short), [[1.0, 0.5], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (tensor(DataType.DT_STRING, 1, string_val=[b"cat"]), "holds string, not floating"),
        (tensor(99, 1), "holds type number 99"),
        (tensor(DataType.DT_FLOAT, 2, 2), "holds 0 numbers"),
        (tensor(DataType.DT_FLOAT, 2, float_val=[1, 2, 3]), "holds 3 numbers"),
        (tensor(DataType.DT_FLOAT, 2, tensor_content=b"\0" * 4), "holds 1 numbers"),
        (tensor(DataType.DT_FLOAT, 2, tensor_content=b"\0" * 7), "broken last number"),
        (tensor(DataType.DT_FLOAT, -1, float_val=[1]), "without a definite shape"),
        (
            TensorProto(dtype=DataType.DT_FLOAT, tensor_shape=TensorShapeProto(unknown_rank=True)),
            "without a definite shape",
        ),
    ],
)
def test_a_tensor_that_contradicts_itself_is_refused(broken: TensorProto, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        tensors.to_floats(broken)


def test_a_part_of_a_tensor_is_its_rows() -> None:
    array = np.arange(30, dtype=np.float32).reshape(5, 2, 3)
    tensor = tensors.from_array(array)
    np.testing.assert_array_equal(tensors.to_floats(tensors.part(tensor, 1, 4)), array[1:4])
    assert tensors.part(tensor, 0, 5) is tensor


def test_a_part_of_strings_is_some_of_them() -> None:
    part = tensors.part(tensors.from_strings([b"a", b"b", b"c"]), 1, 3)
    assert list(part.string_val) == [b"b", b"c"]
    assert tensors.rows_of(part) == 2
