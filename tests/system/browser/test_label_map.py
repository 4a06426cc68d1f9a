"""The 16-bit label map as the page decodes it, against the one that was encoded."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

DECODE = """async ([encoded, longest]) => {
  const bytes = Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0));
  const { readLabelMap } = await import("/assets/labelmap.js");
  const { labels, width, height } = await readLabelMap(bytes.buffer, longest);
  return { labels: [...labels], width, height };
}"""


def paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    distances = [(abs(guess - one), order) for order, one in enumerate((left, up, corner))]
    return (left, up, corner)[min(distances)[1]]


def filtered(kind: int, row: bytes, above: bytes) -> bytes:
    """Filter a row of two bytes a pixel, as PNG defines it."""
    made = bytearray([kind])
    for at, value in enumerate(row):
        left, up = (row[at - 2] if at > 1 else 0), above[at]
        corner = above[at - 2] if at > 1 else 0
        guess = (0, left, up, (left + up) // 2, paeth(left, up, corner))[kind]
        made.append((value - guess) & 0xFF)
    return bytes(made)


def encode(labels: np.ndarray) -> bytes:
    """A 16-bit PNG whose rows use all five filters in turn, its data in several chunks."""
    height, width = labels.shape
    rows = [row.astype(">u2").tobytes() for row in labels]
    above = [bytes(2 * width), *rows]
    raw = b"".join(filtered(y % 5, row, above[y]) for y, row in enumerate(rows))
    packed = zlib.compress(raw)
    parts = [packed[at : at + 1000] for at in range(0, len(packed), 1000)]
    head = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), *((b"IDAT", part) for part in parts), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def decode(page: Page, data: bytes, longest: int) -> np.ndarray:
    page.goto("/explanations")
    found = page.evaluate(DECODE, [base64.b64encode(data).decode(), longest])
    return np.array(found["labels"]).reshape(found["height"], found["width"])


def test_every_filter_and_every_bit_is_read(page: Page) -> None:
    labels = np.random.default_rng(4).integers(0, 65_536, (37, 61))
    data = encode(labels)
    assert (np.asarray(Image.open(io.BytesIO(data))) == labels).all()
    assert (decode(page, data, 2048) == labels).all()


def test_a_larger_map_keeps_every_nth_row_and_column(page: Page) -> None:
    labels = np.random.default_rng(5).integers(0, 65_536, (45, 100))
    assert (decode(page, encode(labels), 40) == labels[::3, ::3]).all()
