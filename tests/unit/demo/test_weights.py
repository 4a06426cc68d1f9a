"""The files are written here by hand, opcode by opcode, as no PyTorch is at hand to write them."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from deploy.demo.weights import WeightsError, read_state_dict

MAGIC = 119547037146038801333356
MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}


def text(value: str) -> bytes:
    return pickle.BINUNICODE + struct.pack("<I", len(value)) + value.encode()


def integer(value: int) -> bytes:
    return pickle.BININT + struct.pack("<i", value)


def integers(values: tuple[int, ...]) -> bytes:
    return pickle.MARK + b"".join(map(integer, values)) + pickle.TUPLE


def named(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def tensor(
    *,
    key: str = "1",
    kind: str = "FloatStorage",
    count: int = 6,
    offset: int = 0,
    shape: tuple[int, ...] = (2, 3),
    strides: tuple[int, ...] = (3, 1),
) -> bytes:
    storage = text("storage") + named("torch", kind) + text(key) + text("cpu") + integer(count)
    reference = pickle.MARK + storage + pickle.NONE + pickle.TUPLE + pickle.BINPERSID
    hooks = named("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE
    arguments = reference + integer(offset) + integers(shape) + integers(strides)
    return (
        named("torch._utils", "_rebuild_tensor_v2")
        + (pickle.MARK + arguments + pickle.NEWFALSE + hooks + pickle.TUPLE)
        + pickle.REDUCE
    )


def state_dict(tensors: dict[str, bytes]) -> bytes:
    items = b"".join(text(name) + value for name, value in tensors.items())
    empty = named("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE
    return pickle.PROTO + b"\x02" + empty + pickle.MARK + items + pickle.SETITEMS + pickle.STOP


def write(
    folder: Path,
    tensors: dict[str, bytes],
    storages: dict[str, np.ndarray],
    *,
    magic: int = MAGIC,
    machine: dict[str, object] = MACHINE,
) -> Path:
    header = b"".join(pickle.dumps(value, protocol=2) for value in (magic, 1001, machine))
    keys = pickle.dumps(list(storages), protocol=2)
    data = b"".join(
        struct.pack("<q", values.size) + values.tobytes() for values in storages.values()
    )
    path = folder / "weights.pth"
    path.write_bytes(header + state_dict(tensors) + keys + data)
    return path


SIX = np.arange(6, dtype="<f4")


def test_values_follow_shape_strides_and_offset(tmp_path):
    tensors = {
        "rows": tensor(),
        "columns": tensor(shape=(3, 2), strides=(1, 3)),
        "tail": tensor(offset=4, shape=(2,), strides=(1,)),
        "scalar": tensor(offset=5, shape=(), strides=()),
    }
    read = read_state_dict(write(tmp_path, tensors, {"1": SIX}))
    assert list(read) == ["rows", "columns", "tail", "scalar"]
    np.testing.assert_array_equal(read["rows"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(read["columns"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(read["tail"], [4, 5])
    assert read["scalar"] == 5
    assert all(array.dtype == np.float32 for array in read.values())
    assert all(array.flags.c_contiguous and array.flags.owndata for array in read.values())


def test_storages_are_matched_by_key_and_not_by_order(tmp_path):
    counter = tensor(key="2", kind="LongStorage", count=1, shape=(), strides=())
    path = write(
        tmp_path,
        {"weight": tensor(), "counter": counter},
        {"2": np.array([7_000_000_000], dtype="<i8"), "1": SIX},
    )
    read = read_state_dict(path)
    assert read["counter"] == 7_000_000_000
    assert read["weight"].sum() == 15


def test_nothing_but_tensors_can_be_built(tmp_path):
    call = named("os", "system") + pickle.MARK + text("true") + pickle.TUPLE + pickle.REDUCE
    with pytest.raises(WeightsError, match=r"os\.system"):
        read_state_dict(write(tmp_path, {"evil": call}, {}))


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((2, 3), (3, 1), 1), ((7,), (1,), 0), ((2,), (-1,), 3), ((0,), (1,), 0), ((2,), (1,), -1)],
    ids=["offset too far", "too long", "backwards", "empty", "before the start"],
)
def test_a_tensor_outside_of_its_storage_is_refused(tmp_path, shape, strides, offset):
    wrong = tensor(shape=shape, strides=strides, offset=offset)
    with pytest.raises(WeightsError, match="outside of its storage"):
        read_state_dict(write(tmp_path, {"wrong": wrong}, {"1": SIX}))


def test_another_format_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="does not begin"):
        read_state_dict(write(tmp_path, {}, {}, magic=1))


def test_a_big_endian_file_is_refused(tmp_path):
    machine = {**MACHINE, "little_endian": False}
    with pytest.raises(WeightsError, match="big-endian"):
        read_state_dict(write(tmp_path, {}, {}, machine=machine))


@pytest.mark.parametrize("kept", [0, 10, 150, -1], ids="{} bytes".format)
def test_a_cut_off_file_is_refused(tmp_path, kept):
    path = write(tmp_path, {"rows": tensor()}, {"1": SIX})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(WeightsError):
        read_state_dict(path)
