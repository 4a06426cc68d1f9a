"""Text on pictures, in the font that Pillow carries, so that it looks the same on every machine."""

from __future__ import annotations

import string
import unicodedata
from typing import Final

from PIL import Image, ImageDraw, ImageFont

INK: Final = (28, 30, 33)
FAINT: Final = (105, 110, 118)
ALERT: Final = (178, 30, 40)
PAPER: Final = (255, 255, 255)

# Pillow's font has the glyphs of English and a few signs.
_HAS_GLYPH: Final = frozenset(string.ascii_letters + string.digits + string.punctuation + " …·±“”")

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def font(size: int) -> Font:
    """Pillow's own font at a height in pixels."""
    return ImageFont.load_default(size)


def font_size(longest_side: int) -> int:
    """Choose a size that can be read on a picture of that longest side."""
    return min(26, max(10, round(longest_side / 44)))


def drawable(text: str) -> str:
    """Text that the font can draw: accents are dropped, and what has no glyph becomes ``?``."""
    plain = unicodedata.normalize("NFKD", " ".join(text.split()))
    letters = (c for c in plain if not unicodedata.combining(c))
    return "".join(c if c in _HAS_GLYPH else "?" for c in letters)


def width_of(text: str, typeface: Font) -> int:
    """Width in pixels, rounded up."""
    return int(-(-typeface.getlength(text) // 1))


def shortened(text: str, typeface: Font, *, width: int) -> str:
    """Replace the end of a text by an ellipsis if it is too wide; empty if nothing fits."""
    if width_of(text, typeface) <= width:
        return text
    for end in range(len(text) - 1, 0, -1):
        short = text[:end].rstrip() + "…"
        if width_of(short, typeface) <= width:
            return short
    return ""


def note(image: Image.Image, text: str) -> Image.Image:
    """Write one line on a dark strip at the foot of a picture, if it fits into its width."""
    size = font_size(max(image.size))
    while size > 8 and width_of(text, font(size)) > image.width - 2 * size:  # noqa: PLR2004
        size -= 1
    typeface, pad = font(size), size // 2
    if width_of(text, typeface) > image.width - 2 * pad or image.height < 3 * size:
        return image
    noted = image.copy()
    top = image.height - size - 2 * pad
    strip = Image.blend(
        noted.crop((0, top, image.width, image.height)),
        Image.new("RGB", (image.width, image.height - top)),
        0.7,
    )
    noted.paste(strip, (0, top))
    ImageDraw.Draw(noted).text(
        (image.width / 2, top + pad + size / 2), text, fill=PAPER, font=typeface, anchor="mm"
    )
    return noted
