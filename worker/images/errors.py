"""What can be wrong with an upload. The messages are for the client: what is wrong, what to do."""

from __future__ import annotations


class ImageError(Exception):
    """An upload that cannot be used. The message is for the client: what is wrong, what to do."""


class EmptyImage(ImageError):
    """There are no bytes."""


class UnsupportedImage(ImageError):
    """The bytes are not those of a PNG, JPEG or WebP file."""


class TooManyPixels(ImageError):
    """The header announces more than ``MAX_PIXELS``; nothing was decoded."""


class InvalidImage(ImageError):
    """The file is damaged, animated, or of a shape that cannot be explained."""


class BadLabelMap(ImageError):
    """The label map is not a PNG of labels of the image's size with two segments or more."""
