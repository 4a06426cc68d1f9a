"""What programs note in a JPEG besides its pixels says nothing against them."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.support.pictures import encoded, jpeg, photograph, png
from worker.images import decode, inspect


def with_note(data: bytes, marker: int, content: bytes) -> bytes:
    return data[:2] + bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2) + content + data[2:]


@pytest.mark.parametrize(
    ("marker", "content"),
    [
        (0xE0, b"JFIF"),
        (0xE0, b"JFXX\0\x10"),
        (0xE1, b"Exif"),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta"),
        (0xE2, b"ICC_PROFILE\0"),
        (0xE2, b"ICC_PROFILE\0\1\3of three"),
        (0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff"),
        (0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\xff\xff\xff\xff"),
        (0xEE, b"Adobe"),
        (0xFE, bytes(range(256))),
    ],
)
def test_a_damaged_note_changes_nothing(marker, content):
    data = with_note(jpeg(), marker, content)
    assert decode(data).image.tobytes() == decode(jpeg()).image.tobytes()
    assert (inspect(data).width, inspect(data).height) == (48, 32)


def test_orientation_and_colours_stay_beside_a_damaged_note():
    exif = Image.Exif()
    exif[0x0112] = 6
    cmyk = encoded(photograph().convert("CMYK"), "JPEG", exif=exif)
    decoded = decode(with_note(cmyk, 0xE2, b"ICC_PROFILE\0"))
    assert (decoded.width, decoded.height) == (32, 48)
    assert decoded.image.tobytes() == decode(cmyk).image.tobytes()
    assert max(decoded.image.getpixel((30, 4))) > 150


def test_pictures_that_lost_what_followed_them_are_still_pictures():
    images = [photograph(), photograph()]
    both = encoded(images[0], "MPO", save_all=True, append_images=images[1:])
    end = both.index(b"\xff\xd9\xff\xd8") + 2
    for data in (both, both[:end], both[: end + 100]):
        assert decode(data).image.tobytes() == decode(both[:end]).image.tobytes()


def test_a_large_profile_is_left_out_before_decoding():
    profile = bytes(60_000)
    data = jpeg()
    for part in range(20):
        data = with_note(data, 0xE2, b"ICC_PROFILE\0" + bytes([20 - part, 20]) + profile)
    assert decode(data).image.tobytes() == decode(jpeg()).image.tobytes()


@pytest.mark.parametrize(
    "data", [png() + b"behind the end" * 9, encoded(photograph(), "WEBP", lossless=True) + b"abc"]
)
def test_bytes_behind_the_end_of_a_file_are_no_part_of_it(data):
    assert decode(data).image.tobytes() == photograph().tobytes()


def test_a_broken_profile_of_a_webp_changes_nothing():
    data = encoded(photograph(), "WEBP", lossless=True, icc_profile=b"no profile", xmp=b"<x")
    assert decode(data).image.tobytes() == photograph().tobytes()
