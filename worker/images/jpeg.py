"""The markers of a JPEG, read as libjpeg reads them, up to the end of its first image."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from worker.images.errors import InvalidImage

# Between segments, in compressed data too, whatever is no marker is passed over. So are markers
# without content: restarts (D0 to D7) and 01. Zero says that the FF before it is data.
_MARKER: Final = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])", re.DOTALL)
_SCAN: Final = 0xDA
_END: Final = 0xD9
# Start of frame, by how it is coded; C4, C8 and CC are tables.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_LS: Final = 0xF7
_FIRST_WITH_CONTENT: Final = 0xC0
_BITS: Final = 8
# What programs write about the picture: applications' segments and comments.
_NOTES: Final = frozenset({*range(0xE0, 0xF0), 0xFE})
_APP1: Final = 0xE1
_EXIF: Final = b"Exif\0\0"
# Notes that tell a decoder the colour space, and the least length at which libjpeg heeds them.
_COLOURS: Final = {0xE0: (b"JFIF\0", 16), 0xEE: (b"Adobe", 14)}


def count_scans(data: bytes) -> int:
    """Count the scans of the first image.

    Thumbnails in its segments, further images and videos behind its end are not decoded and
    do not count.
    """
    return sum(marker == _SCAN for marker, _ in _segments(data))


def pixels_alone(data: bytes) -> bytes:
    """Return a JPEG without the notes that do not touch its pixels: profiles, previews, comments.

    As with a PNG's, a mistake in one says nothing of the picture. The first EXIF block stays: a
    second has no say, and Pillow joins them in a time that grows with the square of their number.
    """
    view = memoryview(data)
    kept, at = [], 0
    has_exif = False
    for marker, start in _segments(data):
        if marker == _SCAN:
            break
        length = int.from_bytes(data[start : start + 2])
        mark, least = _COLOURS.get(marker, (b"", 0))
        heeded = marker in _COLOURS and length >= least and data.startswith(mark, start + 2)
        if marker == _APP1:
            exif = data.startswith(_EXIF, start + 2)
            # Besides EXIF this may be XMP, in which Pillow looks for an orientation, too.
            heeded = not (exif and has_exif)
            has_exif = has_exif or exif
        if marker in _NOTES and not heeded:
            kept.append(view[at : start - 2])
            at = start + length
    return b"".join([*kept, view[at:]]) if kept else data


def check_coding(data: bytes) -> None:
    """Refuse, by name, what is a JPEG but is decoded by few programs.

    Raises
    ------
    InvalidImage
        If it is JPEG-LS, or does not have 8 bits a value.
    """
    for marker, at in _segments(data):
        if marker == _JPEG_LS:
            raise InvalidImage(
                "This is a JPEG-LS file, which ordinary programs and model servers do not read. "
                "Convert it to PNG."
            )
        if marker in _FRAMES:
            bits = int.from_bytes(data[at + 2 : at + 3])
            if bits > _BITS:
                raise InvalidImage(
                    f"This JPEG has {bits} bits a value, which ordinary programs and model servers "
                    "do not read. Convert it to an ordinary JPEG of 8 bits, or to PNG."
                )
            return


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Each marker with content, and where the content begins, with its length of two bytes."""
    at = 2
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker == _END:
            return
        yield marker, at
        if marker >= _FIRST_WITH_CONTENT:
            at += int.from_bytes(data[at : at + 2])
