"""From untrusted bytes to pixels that may be trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from PIL import Image, ImageFile

from worker.images.checks import (
    bit_depth,
    check_cost,
    check_shape,
    check_still,
    decoder_errors,
    has_sixteen_bits,
    open_header,
)
from worker.images.errors import BadLabelMap, InvalidImage, TooManyPixels
from worker.images.fast_dct import with_fast_dct
from worker.images.formats import JPEG, PNG, format_of, sniff
from worker.images.jpeg import check_coding
from worker.images.jpeg import pixels_alone as jpeg_pixels
from worker.images.modes import Alpha, bits_used, has_alpha, to_labels, to_rgb
from worker.images.png import pixels_alone as png_pixels

_EXIF_ORIENTATION: Final = 0x0112
_UPRIGHT: Final = 1
UNSEEN: Final = 65_535  # In the label map of an answer.
_TRANSPOSE: Final[Mapping[int, Image.Transpose]] = MappingProxyType(
    {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
)
_LIES_ON_ITS_SIDE: Final = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoding:
    """Where decoders differ, and production's has to be followed.

    Attributes
    ----------
    alpha : {"white", "black", "drop"}
        What a transparent pixel becomes: blended with white or black, or the colour that is stored
        under it, whatever that is.
    jpeg_dct : {"accurate", "fast"}
        The inverse cosine transform of libjpeg-turbo: accurate in Pillow, OpenCV and torchvision,
        fast in TensorFlow.
    """

    alpha: Alpha = "white"
    jpeg_dct: Literal["accurate", "fast"] = "accurate"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """An upload as pixels.

    Attributes
    ----------
    image : PIL.Image.Image
        Mode RGB, fully loaded, EXIF orientation applied, no metadata.
    width, height : int
        Pixels, after EXIF orientation.
    orientation : int
        The EXIF orientation that was applied, 1 to 8; 1 where the pixels are stored upright.
    has_alpha : bool
        Whether the file says of any pixel how transparent it is.
    sha256 : str
        Hexadecimal digest of the uploaded bytes.
    bits_used : int or None
        Of a 16-bit PNG: how many bits its highest value has. Cameras and scanners that write 12
        bits into 16 without scaling them give a picture that is nearly black.
    """

    image: Image.Image
    width: int
    height: int
    orientation: int
    has_alpha: bool
    sha256: str
    bits_used: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspected:
    """What is known of an upload that can be decoded: its size after EXIF orientation, its digest.

    Attributes
    ----------
    width, height : int
        Pixels, after EXIF orientation.
    sha256 : str
        Hexadecimal digest of the uploaded bytes.
    """

    width: int
    height: int
    sha256: str


def decode(data: bytes, how: Decoding | None = None) -> Decoded:
    """Decode an upload, whatever its file name says.

    CMYK, palette, grey and 16-bit images become 8-bit RGB (16 bits are scaled, not clipped).
    Colour profiles are ignored, as model servers' decoders ignore them.

    Parameters
    ----------
    data : bytes
        A PNG, JPEG or WebP file.
    how : Decoding, optional
        Alpha on white and the accurate cosine transform if None.

    Returns
    -------
    Decoded

    Raises
    ------
    EmptyImage
        If there are no bytes.
    UnsupportedImage
        If the bytes are of another format.
    TooManyPixels
        If the header announces more than ``MAX_PIXELS``.
    InvalidImage
        If the file is damaged or animated, or its shape is out of bounds.
    """
    how = Decoding() if how is None else how
    file_format = sniff(data)
    with decoder_errors():
        sixteen_bit = has_sixteen_bits(data, file_format)
        picture = _picture(data, file_format)
        with open_header(picture, file_format) as image:
            orientation = _load(image, data, file_format)
            used = bits_used(image) if sixteen_bit else None
            fast = file_format == JPEG and how.jpeg_dct == "fast"
            pixels = with_fast_dct(image, picture) if fast else image
            rgb = to_rgb(pixels, sixteen_bit=sixteen_bit, alpha=how.alpha)
            transparent = has_alpha(image)
        rgb.info.clear()
        if orientation in _TRANSPOSE:
            rgb = rgb.transpose(_TRANSPOSE[orientation])
    return Decoded(
        image=rgb,
        width=rgb.width,
        height=rgb.height,
        orientation=orientation if orientation in _TRANSPOSE else _UPRIGHT,
        has_alpha=transparent,
        sha256=_digest(data),
        bits_used=used,
    )


def inspect(data: bytes) -> Inspected:
    """Decode an upload in full, as ``decode`` does, and keep none of its pixels.

    What is refused here is what ``decode`` refuses. It is for those who only want to know that:
    most photographs are RGB already, and copying their pixels would cost a third of decoding them.

    Raises
    ------
    ImageError
        As ``decode`` does.
    """
    file_format = sniff(data)
    with decoder_errors(), open_header(_picture(data, file_format), file_format) as image:
        orientation = _load(image, data, file_format)
        if image.mode != "RGB" or "transparency" in image.info:
            to_rgb(image, sixteen_bit=has_sixteen_bits(data, file_format))
        width, height = image.size
        if orientation in _LIES_ON_ITS_SIDE:
            width, height = height, width
    return Inspected(width=width, height=height, sha256=_digest(data))


def _picture(data: bytes, file_format: str) -> bytes:
    """Return what a decoder is to see of the file."""
    if file_format == JPEG:
        check_coding(data)
        return jpeg_pixels(data)
    return png_pixels(data) if file_format == PNG else data


def _load(image: ImageFile.ImageFile, data: bytes, file_format: str) -> int:
    """Check what the header says, decode all pixels, and return the EXIF orientation."""
    check_shape(image.size)
    check_still(image, file_format)
    check_cost(data, image.size, file_format)
    image.load()
    return _orientation(image)


def _orientation(image: ImageFile.ImageFile) -> int:
    """Return the EXIF orientation, or upright where the EXIF block cannot be read.

    By now all pixels have been decoded, so a block that is damaged tells of the program that wrote
    it and not of the picture. Browsers, too, show such a picture as it is stored.
    """
    try:
        found = image.getexif().get(_EXIF_ORIENTATION)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 -- as in ``decoder_errors``, it may be of any kind.
        return _UPRIGHT
    return found if isinstance(found, int) else _UPRIGHT


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def decode_label_map(data: bytes, *, width: int, height: int) -> Image.Image:
    """Decode a label map: each pixel's value names the segment that the pixel belongs to.

    Parameters
    ----------
    data : bytes
        A PNG of 1 to 16 bits with one channel. Of a palette PNG the indices are the labels.
    width, height : int
        Size of the image it belongs to, in pixels after EXIF orientation.

    Returns
    -------
    PIL.Image.Image
        Mode L or I;16, fully loaded, with the numbers that the file has. They may have gaps.

    Raises
    ------
    BadLabelMap
        If it is not such a PNG, has another size, fewer than two segments, or the label 65535.
    """
    if not data:
        raise BadLabelMap("The label map is empty: no bytes were received.")
    if format_of(data) != PNG:
        raise BadLabelMap("The label map must be a PNG: other formats do not keep labels exactly.")
    try:
        with decoder_errors(), open_header(png_pixels(data), PNG) as image:
            if image.size != (width, height):
                raise BadLabelMap(
                    f"The label map is {image.width}×{image.height} pixels, the image "
                    f"{width}×{height} (after EXIF orientation). They must be the same."
                )
            image.load()
            labels = to_labels(image, bits=bit_depth(data))
    except (InvalidImage, TooManyPixels) as error:
        raise BadLabelMap(f"The label map cannot be read. {error}") from error
    lowest, highest = labels.getextrema()
    if lowest == highest:
        raise BadLabelMap(
            "The label map has one segment only. An explanation compares segments, so it needs "
            "at least two different values."
        )
    if highest == UNSEEN:
        raise BadLabelMap(
            f"The label map uses the label {UNSEEN}, which stands for what the model does not see. "
            "Use labels up to 65534."
        )
    return labels
