"""EXIF blocks as programs leave them: damaged ones make no good picture unusable."""

from __future__ import annotations

import struct

import pytest
from PIL import PngImagePlugin

from tests.support.pictures import encoded, photograph
from worker.images import decode, inspect

SIZE = (48, 32)


def exif_block(*entries: bytes) -> bytes:
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", len(entries)) + b"".join(entries)


ON_ITS_SIDE = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)


@pytest.mark.filterwarnings("default::UserWarning")  # Pillow tells of such tags by a warning.
def test_a_photograph_with_a_broken_exif_tag_is_still_turned_upright():
    out_of_bounds = struct.pack(">HHII", 0x010F, 2, 500, 60_000)
    exif = exif_block(out_of_bounds, ON_ITS_SIDE, bytes(4))
    with pytest.warns(UserWarning, match="EXIF|Tag data"):
        decoded = decode(encoded(photograph(), "JPEG", exif=exif))
    assert (decoded.width, decoded.height) == SIZE[::-1]


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow tells of a cut block by a warning.
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    ("exif", "size"),
    [
        (exif_block(ON_ITS_SIDE), SIZE[::-1]),
        (exif_block(ON_ITS_SIDE)[:-4], SIZE),
        (exif_block(ON_ITS_SIDE, ON_ITS_SIDE)[:-4], SIZE[::-1]),
        (b"Exif\0\0MM\0*", SIZE),
        (b"Exif\0\0no TIFF at all", SIZE),
        (exif_block(struct.pack(">HHI4s", 0x0112, 2, 4, b"six\0")), SIZE),
        (exif_block(struct.pack(">HHII", 0x0112, 5, 1, 26), bytes(8)), SIZE),
    ],
    ids=[
        "no end",
        "cut",
        "cut behind the tag",
        "header cut",
        "no TIFF",
        "text",
        "nothing by nothing",
    ],
)
def test_a_broken_exif_block_makes_no_good_picture_unusable(file_format, exif, size):
    data = encoded(photograph(), file_format, exif=exif)
    decoded, inspected = decode(data), inspect(data)
    assert (decoded.width, decoded.height) == (inspected.width, inspected.height) == size


def test_a_broken_exif_block_in_a_text_chunk_makes_no_good_picture_unusable():
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", "\n\n\nno hexadecimal digits")
    assert decode(encoded(photograph(), pnginfo=text)).image.size == SIZE
