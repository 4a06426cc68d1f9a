"""What stands in a PNG besides its pixels says nothing against them."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib

import pytest
from PIL import Image

from tests.support.chunks import PNG_SIGNATURE, chunk, damaged, with_chunk
from tests.support.pictures import animated, encoded, label_map, photograph
from worker.images import InvalidImage, decode, decode_label_map, inspect

PNG = encoded(photograph())
PIXELS = photograph().tobytes()
SIZE = (48, 32)
CONTROL = struct.pack(">IIIIIHHBB", 0, *SIZE, 0, 0, 1, 10, 0, 0)


def actl(frames: int) -> bytes:
    return chunk(b"acTL", struct.pack(">II", frames, 0))


@pytest.mark.parametrize("before", [b"IDAT", b"IEND"])
@pytest.mark.parametrize(
    "added",
    [
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 1_500_000)),
        chunk(b"zTXt", b"Comment\0\0no zlib at all"),
        chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(b"x" * 20_000_000)),
        chunk(b"tEXt", b"no end of the keyword"),
        chunk(b"iCCP", b"p\0\0" + zlib.compress(random.Random(0).randbytes(100) * 15_000)),
        chunk(b"iCCP", b"p\0\7no such method"),
        damaged(b"tEXt", b"a\0b"),
        damaged(b"iTXt", b"a\0b"),
        damaged(b"eXIf", b"MM\0*\0\0\0\x08\0\0\0\0"),
        damaged(b"pHYs", bytes(9)),
        chunk(b"gAMA", b"\0"),
        chunk(b"prVt", b"of some program"),
    ],
)
def test_a_chunk_that_is_no_picture_changes_nothing(added, before):
    data = with_chunk(PNG, added, before=before)
    assert decode(data).image.tobytes() == PIXELS
    assert (inspect(data).width, inspect(data).height) == SIZE


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_a_compressed_chunk_is_never_unpacked(kind):
    bomb = chunk(kind, b"k\0\0" + zlib.compress(b"A" * 50_000_000, 9))
    data = with_chunk(PNG, bomb * 3, before=b"IDAT")
    tracemalloc.start()
    try:
        decode(data)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_label_map_may_carry_texts_too():
    data = with_chunk(label_map(), damaged(b"tEXt", b"a\0b"), before=b"IDAT")
    assert decode_label_map(data, width=48, height=32).getextrema() == (0, 3)


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"])
def test_a_wrong_checksum_of_what_makes_the_picture_is_damage(kind):
    data = encoded(photograph().convert("P"), transparency=3)
    at = data.index(kind)
    end = at + 4 + int.from_bytes(data[at - 4 : at])
    with pytest.raises(InvalidImage, match="damaged"):
        decode(data[:end] + bytes([data[end] ^ 1]) + data[end + 1 :])


def test_transparency_and_orientation_stay():
    image = photograph()
    key = image.getpixel((3, 3))
    exif = Image.Exif()
    exif[0x0112] = 6
    text = chunk(b"tEXt", b"a\0b")
    data = with_chunk(encoded(image, transparency=key, exif=exif), text, before=b"IDAT")
    decoded = decode(data)
    assert (decoded.width, decoded.height) == SIZE[::-1]
    assert decoded.image.getpixel((32 - 1 - 3, 3)) == (255, 255, 255)


@pytest.mark.parametrize(
    "added",
    [
        actl(1) + chunk(b"fcTL", CONTROL),
        actl(0),
        damaged(b"acTL", struct.pack(">II", 9, 0)),
        chunk(b"acTL", b"\0\0\0\x09"),
    ],
)
def test_an_animation_of_one_frame_is_a_picture(added):
    assert decode(with_chunk(PNG, added, before=b"IDAT")).image.tobytes() == PIXELS


def test_a_webp_animation_of_one_frame_is_a_picture():
    data = encoded(photograph(), "WEBP", save_all=True, lossless=True)
    assert decode(data).image.tobytes() == PIXELS


@pytest.mark.parametrize(
    "data",
    [
        animated("PNG"),
        with_chunk(PNG, actl(2) + chunk(b"fcTL", CONTROL), before=b"IDAT"),
        # Browsers show the frame behind the pixels, model servers the pixels.
        with_chunk(PNG, actl(1), before=b"IDAT"),
    ],
)
def test_an_animation_of_several_pictures_is_refused(data):
    with pytest.raises(InvalidImage, match="animated"):
        decode(data)


def test_a_png_for_ios_alone_is_refused_as_such():
    data = PNG_SIGNATURE + chunk(b"CgBI", b"\x50\0\x20\x06") + PNG[8:]
    with pytest.raises(InvalidImage, match="iOS"):
        decode(data)


def test_a_file_of_countless_empty_chunks_takes_no_time():
    data = with_chunk(PNG, chunk(b"tEXt", b"") * 300_000, before=b"IDAT")
    assert decode(data).image.tobytes() == PIXELS
