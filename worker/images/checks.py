"""Refuse what must not be decoded, from the bytes and the header alone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from PIL import Image, ImageFile

from worker.images.errors import ImageError, InvalidImage, TooManyPixels
from worker.images.formats import JPEG, PNG
from worker.images.jpeg import count_scans

MAX_PIXELS: Final = 40_000_000
MIN_SIDE: Final = 8
MAX_ASPECT: Final = 50
# An honest progressive JPEG has about ten scans; a hostile one repeats tiny scans, each of which
# costs the decoder a walk over all pixels. The product of both is what decoding costs.
MAX_SCANNED_PIXELS: Final = 2_500_000_000

_PNG_BIT_DEPTH: Final = 24  # Offset of the bit depth in the header that every PNG begins with.


@contextmanager
def decoder_errors() -> Iterator[None]:
    """Translate whatever Pillow raises.

    A decoder fed with hostile bytes raises far more than OSError: SyntaxError, ValueError,
    struct.error, zlib.error and others were seen, so every exception counts as a damaged file.
    """
    try:
        yield
    except (ImageError, MemoryError):
        # Within the cap, a lack of memory is the machine's trouble and no fault of the file.
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooManyPixels(_too_many("too many pixels")) from error
    except Exception as error:
        raise InvalidImage("The image file is damaged or incomplete.") from error


def open_header(data: bytes, file_format: str) -> ImageFile.ImageFile:
    """Read the header. Pillow decodes no pixel before ``load``.

    Pillow's own check for bombs begins at twice our cap, where it warns or raises. Ours follows at
    once, so the answer is the same whether a process shows such warnings or raises them, and no
    filter, which all threads would share, has to be changed.
    """
    image = Image.open(io.BytesIO(data), formats=[file_format])
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise TooManyPixels(_too_many(f"{width}×{height} pixels"))
    return image


def _too_many(announced: str) -> str:
    return (
        f"The image announces {announced}; at most {MAX_PIXELS // 1_000_000} million are "
        "accepted. Send a smaller copy: models look at far fewer."
    )


def check_shape(size: tuple[int, int]) -> None:
    """Refuse a size of which no picture of segments could be made."""
    shorter, longer = sorted(size)
    if shorter < MIN_SIDE or longer > MAX_ASPECT * shorter:
        raise InvalidImage(
            f"The image is {size[0]}×{size[1]} pixels. Both sides must be at least {MIN_SIDE} "
            f"pixels and the longer at most {MAX_ASPECT} times the shorter."
        )


def check_still(image: ImageFile.ImageFile, file_format: str) -> None:
    """Refuse animations: which frame to explain is not ours to guess."""
    # A JPEG with further pictures behind the first (a preview, a gain map) is a still photograph.
    if file_format != JPEG and getattr(image, "is_animated", False):
        raise InvalidImage("The image is animated. Send one frame of it as a still image.")


def check_cost(data: bytes, size: tuple[int, int], file_format: str) -> None:
    """Refuse a progressive JPEG whose scans would keep the decoder busy for long."""
    if file_format != JPEG:
        return
    scans = count_scans(data)
    if scans * size[0] * size[1] > MAX_SCANNED_PIXELS:
        raise InvalidImage(
            f"The JPEG has {scans} scans over {size[0]}×{size[1]} pixels, which takes too long to "
            "decode. Save it again with an ordinary program."
        )


def bit_depth(png: bytes) -> int:
    """Tell how many bits a PNG has for a value."""
    return png[_PNG_BIT_DEPTH]


def has_sixteen_bits(data: bytes, file_format: str) -> bool:
    """Whether this is a PNG of 16 bits a channel, which Pillow's RGB modes do not tell."""
    return file_format == PNG and bit_depth(data) == 16  # noqa: PLR2004
