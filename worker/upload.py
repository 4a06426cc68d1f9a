"""What the client uploaded, from the store to pixels, and what is odd about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.explain.result_warning import ResultWarning
from worker.images import Decoded, decode_label_map
from worker.jobs.job import Job, upload_key, upload_segments_key
from worker.model_input import decode_for
from worker.ports import BlobStore
from worker.serving.resolved import ResolvedModel

# Cameras and scanners have 10, 12 or 14 bits.
_MOST_UNSCALED_BITS: Final = 14


@dataclass(frozen=True)
class Upload:
    """What the client uploaded, in pixels: RGB uint8 (Hu, Wu, 3), labels (Hu, Wu) or None.

    Both are in EXIF orientation, which is told for models that do not see it.
    """

    rgb: NDArray[np.uint8]
    orientation: int
    label_map: NDArray[np.int32] | None
    warnings: tuple[ResultWarning, ...] = ()


def load(job: Job, model: ResolvedModel, blobs: BlobStore) -> Upload:
    """Decode what came with a job, as the model's profile says.

    Raises
    ------
    worker.images.ImageError
        If it cannot be decoded.
    worker.jobs.errors.BlobMissing
        If it is gone.
    """
    decoded = decode_for(model.preparation, blobs.get(upload_key(job.ref)))
    label_map = None
    if job.request.has_segments:
        picture = decode_label_map(
            blobs.get(upload_segments_key(job.ref)), width=decoded.width, height=decoded.height
        )
        label_map = np.asarray(picture).astype(np.int32)
    rgb = np.asarray(decoded.image, dtype=np.uint8)
    return Upload(rgb, decoded.orientation, label_map, tuple(_oddities(decoded)))


def _oddities(decoded: Decoded) -> Iterator[ResultWarning]:
    """Tell of a 16-bit image whose values were never scaled to 16 bits."""
    bits = decoded.bits_used
    if bits is not None and bits <= _MOST_UNSCALED_BITS:
        yield ResultWarning(
            code="values-below-range",
            severity="warning",
            text=f"The image is a 16-bit PNG, but its highest value fits into {bits} bits. It was "
            f"explained as it is: no brighter than {(2**bits - 1) / 65_535:.1%} of white.",
            cure="If its values have fewer than 16 bits (12 in many cameras and scanners), scale "
            "them to the whole range, 0 to 65535, as it is done for the model.",
        )
