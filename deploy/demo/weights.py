"""Read a PyTorch state dict in its first file format, without PyTorch.

The format, written by `torch.save` before version 1.6: pickles of a magic number, of the protocol
version and of facts on the writing machine; then a pickle of the state dict, in which a tensor is
a reference to a storage with an offset, a shape and strides; then a pickle of the list of storage
keys; then, in that order, each storage as an int64 count and that many raw values.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

_MAGIC_NUMBER: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION: Final = 1001
_STORAGE_DTYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}


class WeightsError(Exception):
    """The file is not a state dict in the format that this module reads."""


@dataclass(frozen=True, kw_only=True)
class _StorageRef:
    """What a tensor says of its storage."""

    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True, kw_only=True)
class _TensorRef:
    """A tensor before its storage has been read; offset and strides count values, not bytes."""

    storage: _StorageRef
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(
    storage: _StorageRef,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    requires_grad: bool,
    backward_hooks: object,
) -> _TensorRef:
    return _TensorRef(storage=storage, offset=offset, shape=shape, strides=strides)


class _StateDictUnpickler(pickle.Unpickler):
    """A pickle is a program; this one may call two harmless things and name two dtypes."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _STORAGE_DTYPES:
            return _STORAGE_DTYPES[name]
        raise WeightsError(f"the state dict wants {module}.{name}, which no state dict needs")

    def persistent_load(self, pid: Any) -> _StorageRef:
        kind, dtype, key, _device, count, view = pid
        if kind != "storage" or view is not None:
            raise WeightsError(f"a reference of kind {kind!r} with view {view!r} cannot be read")
        return _StorageRef(key=key, dtype=dtype, count=count)


def read_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """Read all tensors of a state dict.

    Parameters
    ----------
    path
        A file in PyTorch's first format (before 1.6), written on a little-endian machine.

    Returns
    -------
    dict
        For each name a contiguous array of its own, float32 or int64, of the tensor's shape.

    Raises
    ------
    WeightsError
        If the file is of another format, damaged, or asks for anything but tensors.
    OSError
        If the file cannot be read.
    """
    file = io.BytesIO(path.read_bytes())
    try:
        _check_header(file)
        refs = _StateDictUnpickler(file).load()
        keys = _StateDictUnpickler(file).load()
        dtypes = {ref.storage.key: ref.storage.dtype for ref in refs.values()}
        storages = {key: _read_storage(file, dtypes[key]) for key in keys}
        return {name: _tensor(ref, storages) for name, ref in refs.items()}
    except (pickle.UnpicklingError, EOFError, struct.error, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is not a readable state dict: {error!r}") from error


def _check_header(file: BinaryIO) -> None:
    magic, protocol, machine = (_StateDictUnpickler(file).load() for _ in range(3))
    if magic != _MAGIC_NUMBER or protocol != _PROTOCOL_VERSION:
        raise WeightsError("the file does not begin as PyTorch's first format does")
    if not machine["little_endian"]:
        raise WeightsError("the file was written on a big-endian machine")


def _read_storage(file: BinaryIO, dtype: np.dtype[Any]) -> NDArray[Any]:
    (count,) = struct.unpack("<q", file.read(8))
    data = file.read(count * dtype.itemsize)
    if len(data) != count * dtype.itemsize:
        raise WeightsError(f"the file ends inside a storage of {count} values")
    return np.frombuffer(data, dtype=dtype)


def _tensor(ref: _TensorRef, storages: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    storage = storages[ref.storage.key]
    # as_strided trusts its arguments with the memory of the process, so the furthest value that
    # the shape and strides reach is checked against the storage first.
    last = ref.offset + sum((n - 1) * s for n, s in zip(ref.shape, ref.strides, strict=True))
    if min((ref.offset, *ref.strides)) < 0 or min(ref.shape, default=1) < 1 or last >= storage.size:
        raise WeightsError(f"a tensor of shape {ref.shape} reaches outside of its storage")
    strides = [step * storage.itemsize for step in ref.strides]
    view = as_strided(storage[ref.offset :], shape=ref.shape, strides=strides)
    return np.array(view, order="C")
