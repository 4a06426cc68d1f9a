"""Real image files, and what can go wrong with them: byte by byte and part by part."""

from __future__ import annotations

import struct
import zlib
from functools import cache

from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from tests.support import pictures
from tests.support.chunks import chunk, with_chunk

_SIGNATURE = 8
_RIFF_HEADER = 12
Parts = list[tuple[bytes, bytes]]


@cache
def originals() -> tuple[bytes, ...]:
    """Files of every format and mode that is accepted, and of some that are not."""
    image = pictures.photograph()
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "a" * 500, zip=True)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x011A] = 6, "maker", 72.0
    alpha = image.convert("RGBA")
    alpha.putalpha(Image.linear_gradient("L").resize(image.size))
    modes = [image.convert(mode) for mode in ("P", "L", "LA", "1")] + [alpha]
    return (
        *(pictures.encoded(one) for one in [image, *modes]),
        pictures.encoded(image, pnginfo=text, exif=exif, dpi=(72, 72)),
        pictures.encoded(image.convert("P"), transparency=3),
        pictures.sixteen_bit(),
        pictures.label_map(),
        pictures.animated("PNG"),
        with_chunk(pictures.png(), chunk(b"acTL", b"\0\0\0\1" + bytes(4)), before=b"IDAT"),
        pictures.jpeg(),
        pictures.jpeg(progressive=True, exif=exif, quality=30),
        pictures.encoded(image.convert("CMYK"), "JPEG"),
        pictures.encoded(image.convert("L"), "JPEG", restart_marker_blocks=1),
        pictures.encoded(image, "MPO", save_all=True, append_images=[image]),
        pictures.jpeg(progressive=True) + pictures.jpeg() + b"\xff\xda" * 50,
        pictures.encoded(image, "WEBP", exif=exif),
        pictures.encoded(alpha, "WEBP", lossless=True),
        pictures.animated("WEBP"),
    )


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Draw a file with one or more mistakes in its parts, its bytes, or both."""
    data = draw(st.sampled_from(originals()))
    if draw(st.booleans()):
        data = draw(_with_parts_changed(data))
    if draw(st.booleans()):
        data = draw(with_bytes_changed(data))
    return data


@st.composite
def with_bytes_changed(draw: st.DrawFn, data: bytes) -> bytes:
    """Draw the data with bytes set, cut, put in, or repeated."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(changed) - 1)))
        kind = draw(st.sampled_from(["set", "cut", "insert", "repeat", "end"]))
        if kind == "set" and changed:
            changed[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del changed[at : at + draw(st.integers(1, 64))]
        elif kind == "insert":
            changed[at:at] = draw(st.binary(max_size=32))
        elif kind == "repeat":
            changed[at:at] = changed[at : at + 64]
        else:
            del changed[at:]
    return bytes(changed)


@st.composite
def _with_parts_changed(draw: st.DrawFn, data: bytes) -> bytes:
    """Change chunks or segments, with lengths and checksums made good: decoders look deeper."""
    head, parts, joined = _parted(data)
    for _ in range(draw(st.integers(1, 4))):
        if not parts:
            break
        at = draw(st.integers(0, len(parts) - 1))
        kind, body = parts[at]
        what = draw(st.sampled_from(["change", "empty", "drop", "twice", "move", "rename"]))
        if what == "change" and body:
            parts[at] = kind, draw(with_bytes_changed(body))
        elif what == "empty":
            parts[at] = kind, b""
        elif what == "drop":
            del parts[at]
        elif what == "twice":
            parts.insert(at, parts[at])
        elif what == "move":
            parts.insert(draw(st.integers(0, len(parts) - 1)), parts.pop(at))
        elif what == "rename":
            parts[at] = draw(st.sampled_from(parts))[0], body
    return head + joined(parts)


def _parted(data):
    """Split a file into its head, its parts, and how to join them."""
    if data.startswith(b"\x89PNG"):
        return data[:_SIGNATURE], _png_chunks(data), _join_png
    if data.startswith(b"RIFF"):
        # The length of the whole is left as it was: it lies then.
        return data[:_RIFF_HEADER], _riff_chunks(data), _join_riff
    return data[:2], _jpeg_segments(data), _join_jpeg


def _png_chunks(data: bytes) -> Parts:
    parts, at = [], _SIGNATURE
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        parts.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return parts


def _join_png(parts: Parts) -> bytes:
    return b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


def _riff_chunks(data: bytes) -> Parts:
    parts, at = [], _RIFF_HEADER
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        parts.append((data[at : at + 4], data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return parts


def _join_riff(parts: Parts) -> bytes:
    return b"".join(
        kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2) for kind, body in parts
    )


def _jpeg_segments(data: bytes) -> Parts:
    """Segments up to the first scan; what follows stays with it."""
    parts, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, at + 2)
        parts.append((data[at : at + 2], data[at + 4 : at + 2 + length]))
        at += 2 + length
    return [*parts, (b"", data[at:])]


def _join_jpeg(parts: Parts) -> bytes:
    return b"".join(
        kind + struct.pack(">H", len(body) + 2) + body if kind else body for kind, body in parts
    )
