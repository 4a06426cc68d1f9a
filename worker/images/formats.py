"""Tell a file's format by its first bytes, whatever its name says."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from worker.images.errors import EmptyImage, UnsupportedImage

PNG: Final = "PNG"
JPEG: Final = "JPEG"
WEBP: Final = "WEBP"


class _Other(NamedTuple):
    """A format that is not accepted: where its mark stands, its name, and what to do about it."""

    at: int
    mark: bytes
    name: str
    cure: str = ""


_SHARE_AS_JPEG: Final = (
    "iPhones write such photographs; they write JPEG with Settings > Camera > Formats > Most "
    "Compatible, and most programs export it."
)
_EXPORT: Final = "Export it as PNG or JPEG from the program that shows it."
_DEVELOP: Final = "Develop it to a JPEG or PNG in a camera program, as was done for the model."
_DRAW: Final = "It has no pixels of its own: draw it as a PNG at the size that you need."
_FRAME: Final = "Send one frame of it as a still image."
_FRAMES: Final = "Export the slice or frame, with the window that readers use, as an 8-bit PNG."

_OTHERS: Final = (
    _Other(0, b"GIF8", "a GIF"),
    # Raw files of cameras have a TIFF's beginning, some with a mark of their own behind it.
    _Other(8, b"CR\2", "a camera's raw file", _DEVELOP),
    _Other(0, b"IIRO", "a camera's raw file", _DEVELOP),
    _Other(0, b"IIRS", "a camera's raw file", _DEVELOP),
    _Other(0, b"IIU\0", "a camera's raw file", _DEVELOP),
    _Other(0, b"FUJIFILMCCD-RAW", "a camera's raw file", _DEVELOP),
    _Other(4, b"ftypcrx ", "a camera's raw file", _DEVELOP),
    *(
        _Other(0, mark, "a TIFF, or a camera's raw file in one", _EXPORT)
        for mark in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
    ),
    _Other(0, b"II\xbc", "a JPEG XR", _EXPORT),
    _Other(0, b"\xff\x0a", "a JPEG XL", _EXPORT),
    _Other(0, b"\0\0\0\x0cJXL ", "a JPEG XL", _EXPORT),
    _Other(0, b"\0\0\0\x0cjP  ", "a JPEG 2000", _EXPORT),
    _Other(0, b"\xff\x4f\xff\x51", "a JPEG 2000", _EXPORT),
    _Other(128, b"DICM", "a DICOM file", _FRAMES),
    _Other(344, b"n+1\0", "a NIfTI file", _FRAMES),
    _Other(0, b"%PDF", "a PDF", "Draw the page that you mean as a PNG."),
    _Other(0, b"8BPS", "a Photoshop file", _EXPORT),
    _Other(0, b"gimp xcf", "a GIMP file", _EXPORT),
    _Other(0, b"BM", "a BMP"),
    _Other(0, b"\0\0\1\0", "an icon", _EXPORT),
    _Other(0, b"v/1\1", "an OpenEXR file", _EXPORT),
    _Other(0, b"#?RADIANCE", "a Radiance HDR file", _EXPORT),
    _Other(0, b"\x89HDF\r\n", "an HDF5 file", "Save the array as a PNG."),
    _Other(0, b"\x93NUMPY", "a NumPy array", "Save it as a PNG."),
    _Other(0, b"PK\3\4", "a zip archive", "Send the image itself."),
    _Other(0, b"\x1f\x8b", "a gzip archive", "Send the image itself."),
    _Other(0, b"\x1aE\xdf\xa3", "a video", _FRAME),
)
# A file of boxes (ISO 14496-12) names what it is and what else it can be read as.
_BRANDS: Final = (
    ((b"avif", b"avis"), "an AVIF", _EXPORT),
    ((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "a HEIC", _SHARE_AS_JPEG),
    ((b"mif1", b"msf1"), "a HEIF", _SHARE_AS_JPEG),
)
_LONGEST_BRANDS: Final = 256
_MARKUP: Final = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:\?xml|!--|!doctype|html|svg)", re.I)
_LOOKED_AT: Final = 1024


def format_of(data: bytes) -> str | None:
    """Tell the format by the first bytes; None if it is not one of ours."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WEBP
    return None


def sniff(data: bytes) -> str:
    """Tell the format, or refuse the bytes, naming what they are where we know.

    Raises
    ------
    EmptyImage
        If there are no bytes.
    UnsupportedImage
        If they are of another format. The message names it and says how to come to one of ours.
    """
    if not data:
        raise EmptyImage("The image is empty: no bytes were received.")
    file_format = format_of(data)
    if file_format is None:
        name, cure = _named(data)
        said = f"This is {name}. {cure}".rstrip()
        raise UnsupportedImage(f"{said} Send a PNG, JPEG or WebP file.")
    return file_format


def _named(data: bytes) -> tuple[str, str]:
    for other in _OTHERS:
        if data.startswith(other.mark, other.at):
            return other.name, other.cure
    if data[4:8] == b"ftyp":
        return _of_boxes(data)
    if _MARKUP.match(data, 0, _LOOKED_AT):
        if b"<svg" in data[:_LOOKED_AT].lower():
            return "an SVG", _DRAW
        return "an XML, HTML or SVG file", "If an address led to it, it is not the image's own."
    return "no image that we know", ""


def _of_boxes(data: bytes) -> tuple[str, str]:
    length = min(int.from_bytes(data[:4]), _LONGEST_BRANDS)
    brands = {data[at : at + 4] for at in range(8, length, 4)}
    for known, name, cure in _BRANDS:
        if brands.intersection(known):
            return name, cure
    return "a video", _FRAME
