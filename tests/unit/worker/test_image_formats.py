"""Files of other formats are refused by their own name, with what to do."""

from __future__ import annotations

import pytest

from tests.support.pictures import encoded, jpeg, photograph
from worker.images import InvalidImage, UnsupportedImage, decode


def boxes(brand: bytes, *others: bytes) -> bytes:
    names = brand + bytes(4) + b"".join(others)
    return (8 + len(names)).to_bytes(4) + b"ftyp" + names + b"\0\0\0\x08mdat"


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"hello, I am a photograph\n", "no image that we know"),
        (b"RIFF\0\0\0\0WAVE", "no image that we know"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG"),
        (b'<?xml version="1.0"?><svg/>', "an SVG"),
        (b'\xef\xbb\xbf\n<!-- drawn --><SVG width="9"/>', "an SVG"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"8BPS\0\1", "Photoshop"),
        (b"\0\0\0\x18ftypheic", "a HEIC"),
        (boxes(b"heic", b"mif1", b"heic"), "a HEIC.*iPhones"),
        (boxes(b"mif1", b"heix"), "a HEIC"),
        (boxes(b"mif1"), "a HEIF"),
        (boxes(b"avif", b"mif1", b"miaf"), "an AVIF"),
        (boxes(b"mif1", b"avif"), "an AVIF"),
        (boxes(b"isom", b"mp42"), "a video.*one frame"),
        (boxes(b"qt  "), "a video"),
        (boxes(b"crx ", b"isom"), "a camera's raw file"),
        (b"II*\0\x10\0\0\0CR\2\0", "a camera's raw file"),
        (b"FUJIFILMCCD-RAW 0201", "a camera's raw file"),
        (b"\xff\x0a\xfa\x1f", "a JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000"),
        (b"\xff\x4f\xff\x51\0\x2f", "a JPEG 2000"),
        (bytes(128) + b"DICM\2\0", "a DICOM file.*window"),
        (b"\x93NUMPY\1\0", "a NumPy array"),
        (encoded(photograph(), "TIFF"), "a TIFF"),
        (b"MM\0+\0\x08", "a TIFF"),
        (encoded(photograph(), "GIF"), "a GIF"),
        (encoded(photograph(), "BMP"), "a BMP"),
        (encoded(photograph(), "ICO"), "an icon"),
        (encoded(photograph(), "JPEG2000"), "a JPEG 2000"),
        (encoded(photograph(), "AVIF"), "an AVIF"),
    ],
)
def test_another_format_is_unsupported_and_named(data, named):
    with pytest.raises(UnsupportedImage, match=named) as caught:
        decode(data)
    assert str(caught.value).endswith("Send a PNG, JPEG or WebP file.")


@pytest.mark.parametrize("length", [0, 1, 0xFFFFFFFF])
def test_a_length_that_lies_does_not_keep_the_format_from_being_told(length):
    with pytest.raises(UnsupportedImage, match="This is"):
        decode(length.to_bytes(4) + b"ftypheic" + bytes(30))


def test_a_jpeg_of_12_bits_is_refused_as_such():
    data = bytearray(jpeg())
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(InvalidImage, match="12 bits a value"):
        decode(bytes(data))


def test_a_jpeg_ls_file_is_refused_as_such():
    data = b"\xff\xd8\xff\xf7\0\x0b\x08\0\x20\0\x30\1\1\x11\0" + bytes(40)
    with pytest.raises(InvalidImage, match="JPEG-LS"):
        decode(data)
