"""Image files for tests, good and bad, made on the spot."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image, PngImagePlugin

from tests.support.chunks import PNG_SIGNATURE, chunk


def photograph(width: int = 48, height: int = 32) -> Image.Image:
    """Two halves and a gradient: enough structure to be segmented."""
    image = Image.radial_gradient("L").resize((width, height)).convert("RGB")
    image.paste((200, 40, 40), (0, 0, width // 2, height))
    return image


def encoded(image: Image.Image, file_format: str = "PNG", **settings: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, file_format, **settings)
    return stream.getvalue()


def png() -> bytes:
    return encoded(photograph())


def jpeg(width: int = 48, height: int = 32, **settings: object) -> bytes:
    return encoded(photograph(width, height), "JPEG", **settings)


def announcing(width: int, height: int) -> bytes:
    """A PNG whose header names a size and whose data is far too short for it."""
    return PNG_SIGNATURE + b"".join(
        [
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
            chunk(b"IDAT", zlib.compress(b"\0" * 64)),
            chunk(b"IEND", b""),
        ]
    )


def animated(file_format: str) -> bytes:
    frames = [photograph(), photograph().transpose(Image.Transpose.ROTATE_180)]
    return encoded(frames[0], file_format, save_all=True, append_images=frames[1:])


def text_bomb() -> bytes:
    """A small PNG whose compressed text chunk holds 200 MB."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "a" * 200_000_000, zip=True)
    return encoded(photograph(), pnginfo=info)


def sixteen_bit() -> bytes:
    return encoded(Image.frombytes("I;16", (16, 16), bytes(range(256)) * 2))


def label_map(width: int = 48, height: int = 32, *, segments: int = 4) -> bytes:
    labels = Image.new("L", (width, height))
    for index in range(segments):
        labels.paste(index, (index * width // segments, 0, width, height))
    return encoded(labels)


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return jpeg(exif=exif)
