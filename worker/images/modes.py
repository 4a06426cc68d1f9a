"""Pixels of any mode as 8-bit RGB, or as labels."""

from __future__ import annotations

from typing import Final, Literal, cast

from PIL import Image, ImageChops

from worker.images.errors import BadLabelMap

_BYTE: Final = 8
_WITH_ALPHA: Final = ("RGBA", "LA", "PA", "La", "RGBa")


Alpha = Literal["white", "black", "drop"]


def to_rgb(image: Image.Image, *, sixteen_bit: bool, alpha: Alpha = "white") -> Image.Image:
    """Bring any mode to RGB, on white or black where it is transparent, or with what is hidden."""
    transparent = image.info.get("transparency")
    if image.mode.startswith("I"):
        rgb = _scale_to_8_bits(image, transparent).convert("RGBA")
    elif image.mode == "RGB" and (transparent is None or sixteen_bit):
        # Pillow has kept the high bytes of a 16-bit image; its transparent colour, which still
        # has 16 bits, would match the wrong pixels.
        return image.convert("RGB")
    elif transparent is not None or image.mode in _WITH_ALPHA:
        rgb = image.convert("RGBA")
    else:
        return image.convert("RGB")
    if alpha == "drop":
        return rgb.convert("RGB")
    canvas = Image.new("RGB", rgb.size, alpha)
    canvas.paste(rgb, mask=rgb.getchannel("A"))
    return canvas


def has_alpha(image: Image.Image) -> bool:
    """Whether a file says of any pixel how transparent it is."""
    return image.mode in _WITH_ALPHA or "transparency" in image.info


def bits_used(image: Image.Image) -> int:
    """Tell how many bits the highest value of a 16-bit image has, its alpha apart."""
    bands = zip(image.getbands(), image.split(), strict=True)
    highest = max(_highest(band) for name, band in bands if name != "A")
    # Of several channels Pillow has kept the high bytes.
    return highest.bit_length() + (0 if image.mode.startswith("I") else _BYTE)


def _highest(band: Image.Image) -> int:
    _, highest = cast("tuple[int, int]", band.getextrema())
    return highest


def _scale_to_8_bits(image: Image.Image, transparent: object) -> Image.Image:
    """16-bit grey to 8 bits with alpha. Pillow's own conversion would clip at 255."""
    grey = image.point(lambda value: value * (1 / 257) + 0.5).convert("L")
    if not isinstance(transparent, int):
        return grey
    little_endian = image.convert("I;16").tobytes()
    seen = [
        Image.frombytes("L", image.size, plane).point([255 * (v != key) for v in range(256)])
        for plane, key in (
            (little_endian[0::2], transparent & 255),
            (little_endian[1::2], transparent >> 8),
        )
    ]
    return Image.merge("LA", (grey, ImageChops.lighter(*seen)))


def to_labels(image: Image.Image, *, bits: int) -> Image.Image:
    """Keep one channel of labels as mode L or I;16, as the file has them in so many bits."""
    if image.mode == "P":
        return Image.frombytes("L", image.size, image.tobytes())
    if image.mode == "1":
        return image.convert("L").point([value // 255 for value in range(256)])
    if image.mode == "L" and bits < _BYTE:
        # Pillow spreads the values of 2 and 4 bits over the whole range.
        step = 255 // (2**bits - 1)
        return image.point([value // step for value in range(256)])
    if image.mode in ("L", "I;16"):
        return image.copy()
    raise BadLabelMap(
        f"The label map has the channels {'/'.join(image.getbands())}. It must have one: the "
        "number of the segment, as an 8-bit or 16-bit greyscale PNG."
    )
