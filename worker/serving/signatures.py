"""Reading a signature: which tensor takes the image, in what form, and which gives the scores.

Each function appends to ``problems`` what it finds, with the cure, and goes on where it can: an
operator should see everything that is wrong at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, cast

from worker.serving.profile import CustomPreprocess, Layout, ModelProfile
from worker.serving.resolved import InputDtype, is_float
from worker.serving.stubs.model_pb2 import SignatureDef, TensorInfo
from worker.serving.stubs.tensor_pb2 import DataType
from worker.serving.tensors import DTYPES, FLOATS, INTEGERS, dtype_name, item_bytes

Channels = Literal[1, 3]

OPEN = -1
_IMAGE_RANK = 4
_SCORES_RANK = 2
# Names of tensors that describe an image and are not of classes.
_NO_SCORES = re.compile(r"embed|feature|hidden|pooled|last_hidden_state", re.IGNORECASE)
# Where a tensor (batch, a, b, c) has height, width and channels.
_AXES: Mapping[Layout, tuple[int, int, int]] = MappingProxyType(
    {"NHWC": (1, 2, 3), "NCHW": (2, 3, 1)}
)


@dataclass(frozen=True, kw_only=True)
class ImageInput:
    """The tensor that takes the image.

    Attributes
    ----------
    size : tuple of int
        Height and width, in pixels.
    rows : int or None
        Images in every call where the signature fixes that, else None.
    """

    name: str
    dtype: InputDtype
    layout: Layout
    size: tuple[int, int]
    channels: Channels
    rows: int | None

    @property
    def image_bytes(self) -> int:
        """Size of one image on the wire; a PNG is hardly ever larger than its pixels."""
        height, width = self.size
        return height * width * self.channels * item_bytes(self.dtype)


def listed(names: Iterable[str]) -> str:
    """Return the names for a sentence."""
    return ", ".join(repr(name) for name in sorted(names)) or "none"


def pick_output(
    wanted: str | None, available: Mapping[str, TensorInfo], problems: list[str]
) -> str | None:
    """Return the output that the profile names, or the only one there is."""
    if wanted is not None and wanted in available:
        return wanted
    if wanted is None and len(available) == 1:
        return next(iter(available))
    reason = f"There is no output {wanted!r}" if wanted else "There is more than one output"
    problems.append(f"{reason}: {cure_of_output(available)}.")
    return None


def cure_of_output(available: Mapping[str, TensorInfo]) -> str:
    """Say which outputs may hold scores, by their types, shapes and names."""
    usable = [name for name, info in available.items() if _may_hold_scores(info)]
    usable = [name for name in usable if not is_embedding(name)] or usable
    if not usable:
        return "export a signature that gives the scores, float (batch, classes)"
    if len(usable) == 1:
        return f"set output = {usable[0]!r}"
    return f"set output to one of {listed(usable)}"


def is_embedding(name: str) -> bool:
    """Whether an output is named as vectors are that describe an image, and are no scores."""
    return _NO_SCORES.search(name) is not None


def class_output(name: str, outputs: Mapping[str, TensorInfo]) -> str | None:
    """Return the output that may tell which classes the scores in ``name`` are of."""
    dims = _without_units(outputs[name])
    beside = [
        other
        for other, info in outputs.items()
        if other != name and _may_hold_classes(other, info) and _without_units(info) == dims
    ]
    if dims is None:
        return None
    return min(beside, key=lambda other: ("class" not in other.lower(), other), default=None)


def _may_hold_classes(name: str, info: TensorInfo) -> bool:
    # Classes of floats are rare, and other floats beside the scores are not.
    is_named = "class" in name.lower()
    return info.dtype in (DataType.DT_STRING, *INTEGERS) or (is_named and info.dtype in FLOATS)


def _without_units(info: TensorInfo) -> tuple[int, ...] | None:
    """Return the shape without a last axis of length 1: (n, 1) and (n) hold the same."""
    dims = shape_of(info)
    return dims[:1] if dims is not None and dims[1:] == (1,) else dims


def _may_hold_scores(info: TensorInfo) -> bool:
    dims = shape_of(info)
    return info.dtype in FLOATS and (dims is None or 1 <= len(dims) <= _SCORES_RANK)


def _pick_input(
    wanted: str | None, available: Mapping[str, TensorInfo], problems: list[str]
) -> str | None:
    if wanted is not None and wanted not in available:
        problems.append(f"There is no input {wanted!r}: set input to one of {listed(available)}.")
        return None
    return next(iter(available)) if len(available) == 1 else wanted


def image_input(
    profile: ModelProfile, signature: SignatureDef, problems: list[str]
) -> ImageInput | None:
    """Return the input tensor, None if it cannot be used."""
    name = _pick_input(profile.input, signature.inputs, problems)
    if len(signature.inputs) > 1:
        problems.append(
            f"The signature wants the inputs {listed(signature.inputs)} and we have an image "
            f"only: export a signature that takes nothing else."
        )
    if name is None:
        return None
    info = signature.inputs[name]
    dtype = DTYPES.get(info.dtype)
    if dtype is None:
        problems.append(
            f"The input {name!r} takes {dtype_name(info.dtype)}: export a signature that takes "
            f"one of {', '.join(sorted(DTYPES.values()))} (encoded pictures)."
        )
        return None
    dims = shape_of(info)
    wanted_rank = 1 if dtype == "string" else _IMAGE_RANK
    if dims is not None and len(dims) != wanted_rank:
        form = "(batch)" if dtype == "string" else "(batch, height, width, channels)"
        problems.append(
            f"The input {name!r} has the shape {list(dims)}: export a signature that takes {form}."
        )
        return None
    return _image(profile, name=name, dtype=dtype, dims=dims, problems=problems)


def _image(
    profile: ModelProfile,
    *,
    name: str,
    dtype: InputDtype,
    dims: tuple[int, ...] | None,
    problems: list[str],
) -> ImageInput | None:
    pixels = dims if dtype != "string" else None
    layout = profile.layout or _layout(pixels)
    height, width, channels = (
        (OPEN, OPEN, OPEN) if pixels is None else (pixels[axis] for axis in _AXES[layout])
    )
    wanted = profile.input_size or (OPEN, OPEN)
    size = tuple(
        _agree("input_size", told, given, problems)
        for told, given in zip((height, width), wanted, strict=True)
    )
    if OPEN in size:
        problems.append("Its input size cannot be discovered: set input_size = [height, width].")
    # Encoded pictures are decoded by the model, nearly always to three channels.
    unknown = 3 if dtype == "string" else OPEN
    channels = _agree("channels", channels, profile.channels or unknown, problems)
    if channels not in (1, 3):
        problems.append(
            "Its number of channels cannot be discovered: set channels to 1 or 3."
            if channels == OPEN
            else f"The input {name!r} takes {channels} channels: export a signature with 1 or 3."
        )
    rows = dims[0] if dims and dims[0] != OPEN else None
    if rows not in (None, 1):
        problems.append(
            f"The input {name!r} takes exactly {rows} images: export it with an open batch axis."
        )
    before = len(problems)
    problems += _preprocess_problems(profile, dtype=dtype, channels=channels)
    if OPEN in size or channels not in (1, 3) or len(problems) > before:
        return None
    return ImageInput(
        name=name,
        dtype=dtype,
        layout=layout,
        size=cast("tuple[int, int]", size),
        channels=cast("Channels", channels),
        rows=rows,
    )


def class_count_of(
    profile: ModelProfile,
    name: str,
    outputs: Mapping[str, TensorInfo],
    problems: list[str],
    *,
    one_image: bool,
) -> int | None:
    """Return how many classes an output has, 2 for a single unit; None if that is left open.

    Parameters
    ----------
    profile, name, outputs, problems
        Which output of which there are.
    one_image : bool
        Whether no call has more than one image.
    """
    info = outputs[name]
    dims = shape_of(info)
    if info.dtype not in FLOATS:
        problems.append(
            f"The output {name!r} gives {dtype_name(info.dtype)}: {cure_of_output(outputs)}."
        )
    if dims is None:
        return None
    if not 1 <= len(dims) <= _SCORES_RANK:
        problems.append(
            f"The output {name!r} has the shape {list(dims)}, not (batch, classes): "
            f"{cure_of_output(outputs)}."
        )
        return None
    if len(dims) == 1 and dims[0] > 1 and not one_image:
        problems.append(
            f"The output {name!r} has the shape {list(dims)}, without a batch axis, so that it "
            f"cannot hold the scores of several images: export a signature that gives (batch, "
            f"classes). If it holds the scores of the first image, max_batch_size = 1 will do."
        )
    # One axis is the batch of a single unit, unless its length is fixed: then it is the classes.
    units = dims[1] if len(dims) == _SCORES_RANK else max(dims[0], 1)
    if units == OPEN:
        return None
    if units > 1:
        return units
    if profile.activation == "softmax":
        problems.append(
            f"The output {name!r} is a single unit, of which softmax is always 1: set "
            f"activation = 'sigmoid', or 'none' if it is a probability."
        )
    return 2


def shape_of(info: TensorInfo) -> tuple[int, ...] | None:
    """Return the sizes of a tensor's axes, ``OPEN`` where any will do; None if any rank will."""
    if info.tensor_shape.unknown_rank:
        return None
    return tuple(dim.size for dim in info.tensor_shape.dim)


def _layout(dims: tuple[int, ...] | None) -> Layout:
    if dims is not None and dims[3] not in (1, 3) and dims[1] in (1, 3):
        return "NCHW"
    return "NHWC"


def _agree(key: str, told: int, given: int, problems: list[str]) -> int:
    """Return what the server tells, else what the profile gives."""
    if OPEN not in (told, given) and told != given:
        problems.append(
            f"The profile's {key} says {given} and the signature {told}: remove {key} from the "
            f"profile."
        )
    return given if told == OPEN else told


def _preprocess_problems(
    profile: ModelProfile, *, dtype: InputDtype, channels: int
) -> Iterable[str]:
    how = profile.preprocess
    if not is_float(dtype) and how != "raw":
        yield f"The input takes {dtype}, which cannot be preprocessed: set preprocess = 'raw'."
    values = len(how.mean) if isinstance(how, CustomPreprocess) else 3
    per_channel = isinstance(how, CustomPreprocess) or how in ("caffe", "torch")
    if per_channel and channels in (1, 3) and values != channels:
        yield (
            f"The input has {channels} channel(s) and preprocess is for {values}: give mean and "
            f"std for {channels}."
        )
