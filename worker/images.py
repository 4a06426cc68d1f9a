"""Decode and check uploads: from untrusted bytes to pixels that may be trusted.

The web process uses this module to refuse what cannot be explained before anything is stored, and
the worker uses it to get the same pixels again. It needs Pillow alone: the ``web`` extra has no
numpy. It keeps no state and changes none of Pillow's or of the warnings machinery, so any number
of threads may decode at once.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from PIL import Image, ImageChops, ImageFile

MAX_PIXELS: Final = 40_000_000
MIN_SIDE: Final = 8
MAX_ASPECT: Final = 50
# An honest progressive JPEG has about ten scans; a hostile one repeats tiny scans, each of which
# costs the decoder a walk over all pixels. The product of both is what decoding costs.
MAX_SCANNED_PIXELS: Final = 2_500_000_000

_PNG: Final = "PNG"
_JPEG: Final = "JPEG"
_WEBP: Final = "WEBP"
_EXIF_ORIENTATION: Final = 0x0112
_SCAN_MARKER: Final = b"\xff\xda"
_PNG_BIT_DEPTH: Final = 24  # Offset of the bit depth in the header that every PNG begins with.

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

# What people upload by mistake: offset and bytes that tell it, and its name for the message.
_OTHER_FORMATS: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"GIF8", "a GIF"),
    (0, b"II*\0", "a TIFF"),
    (0, b"MM\0*", "a TIFF"),
    (0, b"%PDF", "a PDF"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"BM", "a BMP"),
    (0, b"<svg", "an SVG"),
    (0, b"<?xml", "an XML or SVG file"),
    (4, b"ftyphei", "a HEIC"),
    (4, b"ftypmif1", "a HEIC"),
    (4, b"ftypavi", "an AVIF"),
)


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """An upload as pixels.

    Attributes
    ----------
    image : PIL.Image.Image
        Mode RGB, fully loaded, EXIF orientation applied, no metadata.
    width, height : int
        Pixels, after EXIF orientation.
    sha256 : str
        Hexadecimal digest of the uploaded bytes.
    """

    image: Image.Image
    width: int
    height: int
    sha256: str


def decode(data: bytes) -> Decoded:
    """Decode an upload, whatever its file name says.

    Alpha is composited on white; CMYK, palette, grey and 16-bit images become 8-bit RGB (16 bits
    are scaled, not clipped). Colour profiles are ignored, as model servers' decoders ignore them.

    Parameters
    ----------
    data : bytes
        A PNG, JPEG or WebP file.

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
    file_format = _sniff(data)
    with _decoder_errors():
        with _open(data, file_format) as image:
            _check_shape(image.size)
            _check_still(image, file_format)
            _check_cost(data, image.size, file_format)
            if file_format == _PNG:
                _check_png_chunks(data)
            image.load()
            orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
            rgb = _to_rgb(image, sixteen_bit=_is_sixteen_bit_png(data, file_format))
        rgb.info.clear()
        if orientation in _TRANSPOSE:
            rgb = rgb.transpose(_TRANSPOSE[orientation])
    return Decoded(
        image=rgb, width=rgb.width, height=rgb.height, sha256=hashlib.sha256(data).hexdigest()
    )


def decode_label_map(data: bytes, *, width: int, height: int) -> Image.Image:
    """Decode a label map: each pixel's value names the segment that the pixel belongs to.

    Parameters
    ----------
    data : bytes
        A PNG of 8 or 16 bits with one channel. Of a palette PNG the indices are the labels.
    width, height : int
        Size of the image it belongs to, in pixels after EXIF orientation.

    Returns
    -------
    PIL.Image.Image
        Mode L or I;16, fully loaded. The labels may have gaps.

    Raises
    ------
    BadLabelMap
        If it is not such a PNG, has another size, or fewer than two segments.
    """
    if not data:
        raise BadLabelMap("The label map is empty: no bytes were received.")
    if _format_of(data) != _PNG:
        raise BadLabelMap("The label map must be a PNG: other formats do not keep labels exactly.")
    try:
        with _decoder_errors(), _open(data, _PNG) as image:
            if image.size != (width, height):
                raise BadLabelMap(
                    f"The label map is {image.width}×{image.height} pixels, the image "
                    f"{width}×{height} (after EXIF orientation). They must be the same."
                )
            _check_still(image, _PNG)
            _check_png_chunks(data)
            image.load()
            labels = _to_labels(image)
    except (InvalidImage, TooManyPixels) as error:
        raise BadLabelMap(f"The label map cannot be read. {error}") from error
    lowest, highest = labels.getextrema()
    if lowest == highest:
        raise BadLabelMap(
            "The label map has one segment only. An explanation compares segments, so it needs "
            "at least two different values."
        )
    return labels


def _format_of(data: bytes) -> str | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _PNG
    if data.startswith(b"\xff\xd8\xff"):
        return _JPEG
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _WEBP
    return None


def _sniff(data: bytes) -> str:
    if not data:
        raise EmptyImage("The image is empty: no bytes were received.")
    file_format = _format_of(data)
    if file_format is None:
        known = (name for at, magic, name in _OTHER_FORMATS if data.startswith(magic, at))
        what = next(known, "no image that we know")
        raise UnsupportedImage(f"This is {what}. Send a PNG, JPEG or WebP file.")
    return file_format


@contextmanager
def _decoder_errors() -> Iterator[None]:
    """Translate whatever Pillow raises.

    A decoder fed with hostile bytes raises far more than OSError: SyntaxError, ValueError,
    struct.error, zlib.error and others were seen, so every exception counts as a damaged file.
    """
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooManyPixels(_too_many("too many pixels")) from error
    except Exception as error:
        raise InvalidImage("The image file is damaged or incomplete.") from error


def _open(data: bytes, file_format: str) -> ImageFile.ImageFile:
    """Read the header. Pillow decodes no pixel before ``load``.

    Pillow's own check for bombs begins at twice our cap, where it warns or raises. Ours follows at
    once, so the answer is the same whether a process shows such warnings or raises them, and no
    filter, which all threads would share, has to be changed.
    """
    image = Image.open(io.BytesIO(data), formats=[file_format])
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise TooManyPixels(_too_many(f"{width}×{height} pixels"))
    return image


def _too_many(announced: str) -> str:
    return (
        f"The image announces {announced}; at most {MAX_PIXELS // 1_000_000} million are "
        "accepted. Send a smaller copy: models look at far fewer."
    )


def _check_shape(size: tuple[int, int]) -> None:
    shorter, longer = sorted(size)
    if shorter < MIN_SIDE or longer > MAX_ASPECT * shorter:
        raise InvalidImage(
            f"The image is {size[0]}×{size[1]} pixels. Both sides must be at least {MIN_SIDE} "
            f"pixels and the longer at most {MAX_ASPECT} times the shorter."
        )


def _check_still(image: ImageFile.ImageFile, file_format: str) -> None:
    # A JPEG with further pictures behind the first (a preview, a gain map) is a still photograph.
    animated = file_format != _JPEG and getattr(image, "is_animated", False)
    if animated or image.get_format_mimetype() == "image/apng":
        raise InvalidImage("The image is animated. Send one frame of it as a still image.")


def _check_cost(data: bytes, size: tuple[int, int], file_format: str) -> None:
    if file_format != _JPEG:
        return
    scans = data.count(_SCAN_MARKER)
    if scans * size[0] * size[1] > MAX_SCANNED_PIXELS:
        raise InvalidImage(
            f"The JPEG has {scans} scans over {size[0]}×{size[1]} pixels, which takes too long to "
            "decode. Save it again with an ordinary program."
        )


def _check_png_chunks(data: bytes) -> None:
    """Compare all checksums, which decoding skips for pixel data, and see that the end is there."""
    with Image.open(io.BytesIO(data), formats=[_PNG]) as image:
        image.verify()


def _is_sixteen_bit_png(data: bytes, file_format: str) -> bool:
    return file_format == _PNG and data[_PNG_BIT_DEPTH] == 16  # noqa: PLR2004


def _to_rgb(image: Image.Image, *, sixteen_bit: bool) -> Image.Image:
    """Any mode to RGB on white."""
    transparent = image.info.get("transparency")
    if image.mode.startswith("I"):
        rgb = _scale_to_8_bits(image, transparent).convert("RGBA")
    elif image.mode == "RGB" and (transparent is None or sixteen_bit):
        # Pillow has kept the high bytes of a 16-bit image; its transparent colour, which still
        # has 16 bits, would match the wrong pixels.
        return image.convert("RGB")
    elif transparent is not None or image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        rgb = image.convert("RGBA")
    else:
        return image.convert("RGB")
    canvas = Image.new("RGB", rgb.size, "white")
    canvas.paste(rgb, mask=rgb.getchannel("A"))
    return canvas


def _scale_to_8_bits(image: Image.Image, transparent: object) -> Image.Image:
    """16-bit grey to 8 bits with alpha. Pillow's own conversion would clip at 255."""
    grey = image.point(lambda value: value * (1 / 257) + 0.5).convert("L")
    if not isinstance(transparent, int):
        return grey
    little_endian = image.convert("I;16").tobytes()
    seen = [
        Image.frombytes("L", image.size, plane).point([255 * (v != key) for v in range(256)])
        for plane, key in (
            (little_endian[0::2], transparent & 255),
            (little_endian[1::2], transparent >> 8),
        )
    ]
    return Image.merge("LA", (grey, ImageChops.lighter(*seen)))


def _to_labels(image: Image.Image) -> Image.Image:
    if image.mode == "P":
        return Image.frombytes("L", image.size, image.tobytes())
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("L", "I;16"):
        return image.copy()
    raise BadLabelMap(
        f"The label map has the channels {'/'.join(image.getbands())}. It must have one: the "
        "number of the segment, as an 8-bit or 16-bit greyscale PNG."
    )
