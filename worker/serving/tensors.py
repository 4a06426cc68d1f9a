"""Arrays to and from ``TensorProto``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.serving.resolved import InputDtype
from worker.serving.stubs.tensor_pb2 import DataType, TensorProto, TensorShapeProto

# TensorFlow writes little endian on every platform that it serves on.
_WIRE: Mapping[int, np.dtype[Any]] = MappingProxyType(
    {
        DataType.DT_FLOAT: np.dtype("<f4"),
        DataType.DT_DOUBLE: np.dtype("<f8"),
        DataType.DT_HALF: np.dtype("<f2"),
        # numpy has no bfloat16: its bits are the upper half of a float32.
        DataType.DT_BFLOAT16: np.dtype("<u2"),
        DataType.DT_UINT8: np.dtype("u1"),
        DataType.DT_INT32: np.dtype("<i4"),
        DataType.DT_INT64: np.dtype("<i8"),
    }
)
_TYPES: Mapping[InputDtype, DataType] = MappingProxyType(
    {
        "float32": DataType.DT_FLOAT,
        "float64": DataType.DT_DOUBLE,
        "float16": DataType.DT_HALF,
        "bfloat16": DataType.DT_BFLOAT16,
        "uint8": DataType.DT_UINT8,
        "int32": DataType.DT_INT32,
        "int64": DataType.DT_INT64,
        "string": DataType.DT_STRING,
    }
)
DTYPES: Mapping[int, InputDtype] = MappingProxyType({one: name for name, one in _TYPES.items()})
# Those of TensorFlow's types that we do not speak.
_OTHER_NAMES: Mapping[int, str] = MappingProxyType(
    {
        5: "int16",
        6: "int8",
        8: "complex64",
        10: "bool",
        11: "qint8",
        12: "quint8",
        17: "uint16",
        22: "uint32",
        23: "uint64",
    }
)
FLOATS = frozenset({DataType.DT_FLOAT, DataType.DT_DOUBLE, DataType.DT_HALF, DataType.DT_BFLOAT16})
INTEGERS = frozenset({DataType.DT_UINT8, DataType.DT_INT32, DataType.DT_INT64})


def from_array(
    array: NDArray[np.uint8 | np.float32], dtype: InputDtype | None = None
) -> TensorProto:
    """Return the tensor of a float32 or uint8 array of any shape; the array may change after.

    Parameters
    ----------
    array : float32 or uint8
    dtype : str or None
        Element type of the tensor; None takes that of the array. Numbers that float16 or bfloat16
        does not have become the nearest that it has.
    """
    if dtype is None:
        dtype = "uint8" if array.dtype == np.uint8 else "float32"
    number = _TYPES[dtype]
    numbers = _bfloat16(array) if dtype == "bfloat16" else array
    content = numbers.astype(_WIRE[number], order="C", copy=False).tobytes()
    return TensorProto(dtype=number, tensor_shape=_shape(array.shape), tensor_content=content)


def item_bytes(dtype: InputDtype) -> int:
    """Return the size of one element; 1 for encoded pictures, which are hardly ever larger."""
    return 1 if dtype == "string" else _WIRE[_TYPES[dtype]].itemsize


def from_strings(strings: list[bytes]) -> TensorProto:
    """Return the tensor (n,) of n strings of bytes."""
    shape = _shape((len(strings),))
    return TensorProto(dtype=DataType.DT_STRING, tensor_shape=shape, string_val=strings)


def rows_of(tensor: TensorProto) -> int:
    """Return the length of the first axis."""
    return int(tensor.tensor_shape.dim[0].size)


def part(tensor: TensorProto, start: int, end: int) -> TensorProto:
    """Return rows ``start`` to ``end`` (exclusive) of a tensor made here."""
    total, *others = (dim.size for dim in tensor.tensor_shape.dim)
    if end - start == total:
        return tensor
    row_bytes = len(tensor.tensor_content) // total
    return TensorProto(
        dtype=tensor.dtype,
        tensor_shape=_shape((end - start, *others)),
        tensor_content=tensor.tensor_content[start * row_bytes : end * row_bytes],
        string_val=tensor.string_val[start:end],
    )


def to_floats(tensor: TensorProto) -> NDArray[np.float64]:
    """Read a tensor of floats, whichever field holds its elements.

    Returns
    -------
    float64
        In the tensor's shape.

    Raises
    ------
    ValueError
        If it is no tensor of floats, or does not hold what its shape says.
    """
    if tensor.dtype not in FLOATS:
        raise ValueError(f"holds {dtype_name(tensor.dtype)}, not floating-point numbers")
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    if tensor.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise ValueError("comes without a definite shape")
    flat = _content(tensor) if tensor.tensor_content else _typed(tensor, math.prod(shape))
    if flat.size != math.prod(shape):
        raise ValueError(f"holds {flat.size} numbers where its shape {list(shape)} says otherwise")
    return _widen(flat, tensor.dtype).reshape(shape)


def to_names(tensor: TensorProto) -> NDArray[Any]:
    """Read a tensor of strings or whole numbers, such as names or numbers of classes.

    Returns
    -------
    bytes or number, in the tensor's shape

    Raises
    ------
    ValueError
        If it is neither, or does not hold what its shape says.
    """
    if tensor.dtype in FLOATS:
        numbers = to_floats(tensor)
        if np.any(numbers != np.round(numbers)):
            raise ValueError("holds numbers that are not whole")
        return numbers
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    values: NDArray[Any]
    if tensor.dtype == DataType.DT_STRING:
        values = np.array(tensor.string_val, object)
    elif tensor.dtype not in INTEGERS:
        raise ValueError(f"holds {dtype_name(tensor.dtype)}, neither names nor numbers")
    elif tensor.tensor_content:
        values = _content(tensor)
    else:
        is_long = tensor.dtype == DataType.DT_INT64
        values = np.array(tensor.int64_val if is_long else tensor.int_val, np.int64)
    if 0 < values.size < math.prod(shape):
        values = np.pad(values, (0, math.prod(shape) - values.size), mode="edge")
    return values.reshape(shape)


def dtype_name(number: int) -> str:
    """Return the name of an element type, for people."""
    if number in DataType.values():
        return str(DataType.Name(number)).removeprefix("DT_").lower()
    return _OTHER_NAMES.get(number, f"type number {number}")


def _shape(sizes: tuple[int, ...]) -> TensorShapeProto:
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes])


def _content(tensor: TensorProto) -> NDArray[Any]:
    wire = _WIRE[tensor.dtype]
    if len(tensor.tensor_content) % wire.itemsize:
        raise ValueError("holds a broken last number")
    return np.frombuffer(tensor.tensor_content, wire)


def _typed(tensor: TensorProto, size: int) -> NDArray[Any]:
    """Read the field of the type. Fewer numbers than ``size``: the last one stands for the rest."""
    if tensor.dtype == DataType.DT_FLOAT:
        values = np.array(tensor.float_val, np.float32)
    elif tensor.dtype == DataType.DT_DOUBLE:
        values = np.array(tensor.double_val, np.float64)
    else:
        values = np.array(tensor.half_val, np.uint16).view(_WIRE[tensor.dtype])
    if 0 < values.size < size:
        return np.pad(values, (0, size - values.size), mode="edge")
    return values


def _bfloat16(array: NDArray[np.uint8 | np.float32]) -> NDArray[np.uint16]:
    """Round to the nearest number of bfloat16, to the even one between two; as its bits."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _widen(flat: NDArray[Any], dtype: int) -> NDArray[np.float64]:
    if dtype == DataType.DT_BFLOAT16:
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    return flat.astype(np.float64)
