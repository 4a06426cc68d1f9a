"""PNG files put together chunk by chunk."""

from __future__ import annotations

import struct
import zlib

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def damaged(kind: bytes, data: bytes) -> bytes:
    """A chunk whose checksum is wrong."""
    good = chunk(kind, data)
    return good[:-1] + bytes([good[-1] ^ 1])


def with_chunk(data: bytes, added: bytes, *, before: bytes) -> bytes:
    """Put a chunk into a PNG before the first of another type."""
    at = data.index(before) - 4
    return data[:at] + added + data[at:]
