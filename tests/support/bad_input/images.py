"""Files that are no usable image or label map, and odd ones that are."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tests.support import pictures
from tests.support.bad_input.case import PNG, BadInput, of_form
from tests.support.requests import JSON, document, form, image_part, multipart


def of_image(name, data, status, slug):
    return of_form(name, form(data), status=status, slug=slug)


SEGMENTS = [
    of_form(
        "label map of another size",
        form(PNG, segments=pictures.label_map(9, 9)),
        "/segments",
        says="48×32",
    ),
    of_form(
        "label map of one segment", form(PNG, segments=pictures.label_map(segments=1)), "/segments"
    ),
    of_form("label map that is a photograph", form(PNG, segments=PNG), "/segments"),
    of_form("label map that is a JPEG", form(PNG, segments=pictures.jpeg()), "/segments"),
    of_form("empty label map", form(PNG, segments=b""), "/segments"),
    of_form(
        "label map that is not used",
        form(PNG, segments=pictures.label_map(), options__segmentation="grid"),
        "/segments",
    ),
    BadInput(
        name="label map that is no base64",
        status=422,
        slug="invalid-request",
        body=document(PNG, segments={"base64": "?"}),
        content_type=JSON,
        pointer="/segments/base64",
    ),
]

_TIFF = b"II*\0" + struct.pack("<I", 8) + b"\0" * 64
_HALF_PNG = PNG[: len(PNG) // 2]
_WEBP = pictures.encoded(pictures.photograph(), "WEBP")
_MUTATED_PNG = PNG[:60] + bytes([PNG[60] ^ 255]) + PNG[61:]

IMAGES = [
    of_image("empty image", b"", 422, "invalid-image"),
    of_image("text", b"I am a cat", 415, "unsupported-image"),
    of_form(
        "text named .png",
        multipart(image_part(b"I am a cat", "cat.png")),
        status=415,
        slug="unsupported-image",
    ),
    of_image("SVG", b'<svg xmlns="http://www.w3.org/2000/svg"/>', 415, "unsupported-image"),
    of_image("PDF", b"%PDF-1.7\n", 415, "unsupported-image"),
    of_image("PSD", b"8BPS\0\1" + b"\0" * 60, 415, "unsupported-image"),
    of_image("TIFF", _TIFF, 415, "unsupported-image"),
    of_image("GIF", pictures.encoded(pictures.photograph(), "GIF"), 415, "unsupported-image"),
    of_image("APNG", pictures.animated("PNG"), 422, "invalid-image"),
    of_image("animated WebP", pictures.animated("WEBP"), 422, "invalid-image"),
    of_image("truncated PNG", _HALF_PNG, 422, "invalid-image"),
    of_image("truncated JPEG", pictures.jpeg()[:400], 422, "invalid-image"),
    of_image("truncated WebP", _WEBP[: len(_WEBP) // 2], 422, "invalid-image"),
    of_image("PNG without its end", PNG[:-12], 422, "invalid-image"),
    of_image("signature alone", PNG[:8], 422, "invalid-image"),
    of_image("mutated PNG", _MUTATED_PNG, 422, "invalid-image"),
    of_image("mutated WebP", _WEBP[:12] + b"VP8?" + _WEBP[16:], 422, "invalid-image"),
    of_image("50,000 × 50,000 header", pictures.announcing(50_000, 50_000), 413, "too-many-pixels"),
    of_image("100,000 × 1", pictures.announcing(100_000, 1), 422, "invalid-image"),
    of_image("1 × 1", pictures.announcing(1, 1), 422, "invalid-image"),
]


@dataclass(frozen=True, kw_only=True)
class OddImage:
    """An image that must be accepted, with the size that it must be given."""

    name: str
    data: bytes
    filename: str = "cat.png"
    size: tuple[int, int] = (48, 32)


ODD_IMAGES = [
    OddImage(name="PNG named .jpg", data=PNG, filename="cat.jpg"),
    OddImage(name="hostile file name", data=PNG, filename="../../etc/passwd\\x00"),
    OddImage(name="WebP", data=pictures.encoded(pictures.photograph(), "WEBP")),
    OddImage(name="CMYK", data=pictures.encoded(pictures.photograph().convert("CMYK"), "JPEG")),
    OddImage(name="palette", data=pictures.encoded(pictures.photograph().convert("P"))),
    OddImage(name="grey with alpha", data=pictures.encoded(pictures.photograph().convert("LA"))),
    OddImage(name="alpha", data=pictures.encoded(pictures.photograph().convert("RGBA"))),
    OddImage(name="16 bit", data=pictures.sixteen_bit(), size=(16, 16)),
    OddImage(name="text that would unpack to 200 MB", data=pictures.text_bomb()),
    OddImage(name="on its side by EXIF", data=pictures.turned(6), size=(32, 48)),
]
