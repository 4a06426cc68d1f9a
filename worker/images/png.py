"""The chunks of a PNG, seen before a decoder sees any of them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from worker.images.errors import InvalidImage

_SIGNATURE: Final = 8
_AROUND: Final = 12  # Bytes of a chunk besides its content: length, type, checksum.
# Of the chunks that a decoder may do without, those that tell something of the picture.
_TRANSPARENCY: Final = b"tRNS"
_EXIF: Final = b"eXIf"
_ANIMATION: Final = b"acTL"
_FRAME: Final = b"fcTL"
_PIXELS: Final = b"IDAT"


def pixels_alone(data: bytes) -> bytes:
    """Return a PNG without the chunks that do not touch its pixels: texts, profiles, thumbnails.

    A decoder that is asked for pixels has no use for them. Unpacking them is what a hostile file
    would have it do, and a mistake in one says nothing of the picture.

    Parameters
    ----------
    data : bytes
        A file that begins with a PNG's signature.

    Returns
    -------
    bytes
        The same bytes where there is nothing to leave out. An EXIF block stays if its checksum
        is right.

    Raises
    ------
    InvalidImage
        If chunks that make the picture are damaged, or the end is missing; if it is animated.
    """
    view = memoryview(data)
    kept = [(0, _SIGNATURE)]
    frames, first_is_picture = 0, False
    for kind, start, end in _chunks(data):
        whole = zlib.crc32(view[start + 4 : end - 4]) == int.from_bytes(view[end - 4 : end])
        critical = kind[:1].isupper()
        if not whole and (critical or kind == _TRANSPARENCY):
            raise _damaged()
        if kind == b"CgBI":
            raise InvalidImage(
                "This PNG was rewritten for iOS applications (by Xcode or pngcrush), in a way that "
                "only Apple's programs read. Export it as an ordinary PNG."
            )
        if kind == _ANIMATION and whole and end - start == _AROUND + 8:
            frames = int.from_bytes(view[start + 8 : start + 12])
        elif kind == _FRAME:
            # A frame that is announced before the pixels is made of them.
            first_is_picture = True
        elif kind == _PIXELS and frames > first_is_picture:
            raise InvalidImage("The image is animated. Send one frame of it as a still image.")
        if critical or kind == _TRANSPARENCY or (kind == _EXIF and whole):
            if start == kept[-1][1]:
                kept[-1] = kept[-1][0], end
            else:
                kept.append((start, end))
    if kept == [(0, len(data))]:
        return data
    return b"".join(view[start:end] for start, end in kept)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type of each chunk, where it begins and ends. What follows the last chunk is no part."""
    at, kind = _SIGNATURE, b""
    while kind != b"IEND":
        end = at + _AROUND + int.from_bytes(data[at : at + 4])
        kind = data[at + 4 : at + 8]
        if end > len(data) or not (kind.isalpha() and kind.isascii()):
            raise _damaged()
        yield kind, at, end
        at = end


def _damaged() -> InvalidImage:
    return InvalidImage("The image file is damaged or incomplete.")
