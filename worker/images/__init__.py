"""Decode and check uploads: from untrusted bytes to pixels that may be trusted.

The web process uses this module to refuse what cannot be explained before anything is stored, and
the worker uses it to get the same pixels again. It needs Pillow alone, but for a decoder that only
the worker asks for: the ``web`` extra has no numpy. It keeps no state and changes none of Pillow's
or of the warnings machinery, so any number of threads may decode at once.
"""

from worker.images.checks import MAX_ASPECT, MAX_PIXELS, MIN_SIDE
from worker.images.errors import (
    BadLabelMap,
    EmptyImage,
    ImageError,
    InvalidImage,
    TooManyPixels,
    UnsupportedImage,
)
from worker.images.upload import Decoded, Decoding, Inspected, decode, decode_label_map, inspect

__all__ = [
    "MAX_ASPECT",
    "MAX_PIXELS",
    "MIN_SIDE",
    "BadLabelMap",
    "Decoded",
    "Decoding",
    "EmptyImage",
    "ImageError",
    "Inspected",
    "InvalidImage",
    "TooManyPixels",
    "UnsupportedImage",
    "decode",
    "decode_label_map",
    "inspect",
]
