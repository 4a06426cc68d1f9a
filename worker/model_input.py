"""From an uploaded file to the model's input, as its profile says that production does it."""

from __future__ import annotations

from worker.explain.geometry import UPRIGHT, Geometry
from worker.images import Decoded, Decoding, decode
from worker.serving.preparation import Preparation
from worker.serving.resolved import ResolvedModel


def decode_for(preparation: Preparation, data: bytes) -> Decoded:
    """Decode an upload; in EXIF orientation, whatever the model sees, for people to see it.

    Raises
    ------
    worker.images.ImageError
        If it cannot be decoded.
    """
    return decode(data, Decoding(alpha=preparation.alpha, jpeg_dct=preparation.jpeg_dct))


def geometry_for(
    model: ResolvedModel,
    preparation: Preparation,
    *,
    upload_size: tuple[int, int],
    orientation: int,
) -> Geometry:
    """Return the map between an upload and the model's input.

    Parameters
    ----------
    upload_size : tuple of int
        (height, width) in pixels, in EXIF orientation.
    orientation : int
        The EXIF orientation of the upload, 1 to 8.
    """
    return Geometry(
        resize=preparation.resize,
        short_side=preparation.short_side,
        library=preparation.library,
        interpolation=preparation.interpolation,
        antialias=preparation.antialias,
        orientation=UPRIGHT if preparation.exif == "apply" else orientation,
        upload_size=upload_size,
        input_size=model.input_size,
        channels=model.channels,
    )
