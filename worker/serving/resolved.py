"""What is known of a model once its server has been asked: one version, pinned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from worker.serving.preparation import Preparation
from worker.serving.profile import Layout

FloatDtype = Literal["float32", "float64", "float16", "bfloat16"]
InputDtype = FloatDtype | Literal["uint8", "int32", "int64", "string"]


def is_float(dtype: InputDtype) -> bool:
    """Whether pixels of this type can be preprocessed."""
    return dtype in get_args(FloatDtype)


@dataclass(frozen=True, kw_only=True)
class ResolvedModel:
    """One version of a model and everything that is needed to send it images.

    Attributes
    ----------
    name : str
        Name of the profile, which clients know.
    servable, signature : str
        Names on the model server.
    version : int
        The version that every Predict call asks for.
    input, output : str
        Names of the tensors within the signature.
    dtype : str
        Element type of the input; ``"string"`` takes one encoded picture an image.
    layout : str
        Order of axes on the wire. Not meaningful for ``"string"``.
    input_size : tuple of int
        Height and width, in pixels.
    class_output : str or None
        Another output of the shape of ``output``, of names or numbers: the classes of the scores,
        where those are in no fixed order.
    class_count : int or None
        Length of a row of scores, 2 for one sigmoid unit; None until the model has answered.
    labels : tuple of str or None
        Class names by class index.
    preparation : Preparation
        How an upload becomes the model's input.
    profile_sha256 : str
        Digest of all that its profile says of how images are scored.
    batch_size : int
        Most images in one call: the profile's, less where a call would grow too large.
    """

    name: str
    servable: str
    version: int
    signature: str
    input: str
    output: str
    input_size: tuple[int, int]
    channels: Literal[1, 3]
    dtype: InputDtype
    layout: Layout
    class_count: int | None
    labels: tuple[str, ...] | None
    preparation: Preparation
    profile_sha256: str
    batch_size: int
    class_output: str | None = None
