"""Decode and check uploads: from untrusted bytes to pixels that may be trusted.

The web process uses this module to refuse what cannot be explained before anything is stored, and
the worker uses it to get the same pixels again. It needs Pillow alone: the ``web`` extra has no
numpy. It keeps no state and changes none of Pillow's or of the warnings machinery, so any number
of threads may decode at once.
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
from worker.images.upload import Decoded, Inspected, decode, decode_label_map, inspect

__all__ = [
    "MAX_ASPECT",
    "MAX_PIXELS",
    "MIN_SIDE",
    "BadLabelMap",
    "Decoded",
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
