"""A JPEG is judged by the scans of its picture, not by what stands in or behind the file."""

from __future__ import annotations

import io
import random

import pytest
from PIL import Image

from tests.support.pictures import encoded, jpeg
from worker.images import InvalidImage, decode
from worker.images.jpeg import count_scans

SCAN = b"\xff\xda"


def large(**settings: object) -> bytes:
    # The limit is on scans times pixels: of 16 megapixels 157 scans are too many.
    return encoded(Image.new("RGB", (4000, 4000)), "JPEG", **settings)


def test_a_video_behind_the_picture_is_not_counted():
    video = random.Random(0).randbytes(1_000_000) + SCAN * 1_000
    assert count_scans(jpeg() + video) == 1
    assert decode(large() + video).width == 4000


def test_further_pictures_of_the_file_are_not_counted():
    images = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue", "green")]
    stream = io.BytesIO()
    images[0].save(stream, "MPO", save_all=True, append_images=images[1:])
    assert stream.getvalue().count(SCAN) == 3
    assert count_scans(stream.getvalue()) == 1


def test_a_thumbnail_in_a_segment_is_not_counted():
    thumbnail = jpeg(progressive=True)
    inside = b"Exif\0\0" + thumbnail + SCAN * 500
    segment = b"\xff\xe1" + (len(inside) + 2).to_bytes(2) + inside
    data = large()
    assert count_scans(data[:2] + segment + data[2:]) == 1
    assert decode(data[:2] + segment + data[2:]).width == 4000


def test_a_comment_that_looks_like_scans_is_not_counted():
    comment = b"\xff\xfe" + (602).to_bytes(2) + SCAN * 300
    data = jpeg()
    assert count_scans(data[:2] + comment + data[2:]) == 1


@pytest.mark.parametrize("settings", [{}, {"restart_marker_blocks": 1}, {"progressive": True}])
def test_the_scans_of_the_picture_are_counted(settings):
    noise = Image.effect_noise((160, 120), 90).convert("RGB")
    data = encoded(noise, "JPEG", quality=95, **settings)
    assert count_scans(data) == (10 if settings.get("progressive") else 1)


def test_scans_are_counted_over_padding_and_without_an_end():
    data = jpeg(progressive=True)
    at = data.rindex(SCAN)
    assert count_scans(data[:at] + b"\xff" * 9 + data[at:]) == 10
    assert count_scans(data[:at] + b"waste" + data[at:-2]) == 10


def test_an_end_within_a_segment_hides_no_scans():
    comment = b"\xff\xfe" + (6).to_bytes(2) + b"\xff\xd9\xff\xd9"
    data = large(progressive=True, quality=30)
    last = data[data.rindex(SCAN) : -2]
    with pytest.raises(InvalidImage, match="scans"):
        decode(data[:-2] + comment + last * 200 + data[-2:])
