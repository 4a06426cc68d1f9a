"""What is odd about an upload that can be explained all the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from worker.explain.result_warning import ResultWarning
from worker.images import Decoded

# Cameras and scanners have 10, 12 or 14 bits.
_MOST_UNSCALED_BITS: Final = 14


def warnings_of(decoded: Decoded) -> Iterator[ResultWarning]:
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
