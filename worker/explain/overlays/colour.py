"""Colours of signs and values, and the bar that says which value a colour stands for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

import cmap
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from worker.explain.overlays.stage import Colour
from worker.explain.overlays.text import (
    FAINT,
    INK,
    PAPER,
    drawable,
    font,
    font_size,
    shortened,
    width_of,
)


class SignColours(NamedTuple):
    """The colour of what speaks for a class and of what speaks against it."""

    positive: Colour
    negative: Colour


# The second pair is Okabe and Ito's, made to be told apart with any colour vision.
SIGN_COLOURS: Final = MappingProxyType(
    {
        "green-red": SignColours((0, 168, 70), (222, 38, 50)),
        "blue-orange": SignColours((0, 114, 178), (240, 140, 0)),
    }
)

# ``auto`` is perceptually even: equal steps in value look like equal steps in colour.
COLOUR_MAPS: Final = MappingProxyType(
    {
        "auto": "bids:viridis",
        "viridis": "bids:viridis",
        "inferno": "bids:inferno",
        "cividis": "cividis:cividis",
        "jet": "matlab:jet",
    }
)


_MOST_TICKS: Final = 8


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Values from ``low`` to ``high`` as 256 colours. Zero is always among them.

    Attributes
    ----------
    low, high : float
        low ≤ 0 ≤ high. Both zero: there is nothing to tell apart, and all is the lowest colour.
    table : uint8 array, shape (256, 3)
    """

    low: float
    high: float
    table: NDArray[np.uint8]

    @classmethod
    def over(cls, values: NDArray[np.floating], *, colormap: str) -> Scale:
        """Span a map, from its lowest value, or zero, to its highest, or zero."""
        table = np.asarray(cmap.Colormap(COLOUR_MAPS[colormap]).lut(256))[:, :3]
        return cls(
            low=min(0.0, float(values.min(initial=0.0))),
            high=max(0.0, float(values.max(initial=0.0))),
            table=np.round(table * 255).astype(np.uint8),
        )

    def position(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Where values lie between low (0) and high (1)."""
        span = self.high - self.low
        return np.clip((values - self.low) / span, 0, 1) if span > 0 else np.zeros_like(values)

    def paint(self, values: NDArray[np.floating]) -> Image.Image:
        """Values, shape (height, width), as an RGB picture."""
        index = np.round(self.position(values) * 255).astype(np.uint8)
        return Image.fromarray(self.table[index])


def ticks(scale: Scale, *, most: int) -> tuple[float, ...]:
    """Round numbers within a scale, zero among them, ``most`` at most (two at least)."""
    span = scale.high - scale.low
    if span <= 0:
        return (0.0,)
    step = 10.0 ** math.floor(math.log10(span)) / 10
    for factor in (1, 2, 5, 10, 20, 50, 100):
        first, last = math.ceil(scale.low / step / factor), math.floor(scale.high / step / factor)
        if last - first + 1 <= max(most, 2):
            return tuple(i * step * factor for i in range(first, last + 1))
    return (0.0,)


def number(value: float, step: float) -> str:
    """Write a value with the decimals that ticks at ``step`` need, signed unless it is zero."""
    if value == 0:
        return "0"
    if not 1e-4 <= step < 1e5:  # noqa: PLR2004 - beyond these, zeros would hide the digits.
        return f"{value:+.1e}"
    return f"{value:+.{max(0, -math.floor(math.log10(step * 1.0001)))}f}"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """How a colour bar lies beside a picture, in pixels.

    Attributes
    ----------
    text : int
        Height of its numbers.
    thickness, across : int
        Of the coloured strip alone, and with its numbers and unit.
    upright : bool
        To the right of the picture; else below it.
    """

    text: int
    thickness: int
    across: int
    upright: bool

    @classmethod
    def beside(cls, size: tuple[int, int]) -> Bar:
        """Fit a bar to a picture of (width, height); a flat picture has it below."""
        text = font_size(max(size))
        return cls.of_text(text, upright=size[1] >= min(size[0], 9 * text))

    @classmethod
    def of_text(cls, text: int, *, upright: bool) -> Bar:
        """Lay out a bar whose numbers have that height."""
        thickness = round(text * 1.1)
        labels = width_of("+0.000", font(text)) if upright else round(text * 1.3)
        return cls(
            text=text,
            thickness=thickness,
            across=round(thickness + labels + text * 2.9),
            upright=upright,
        )

    def draw(self, scale: Scale, *, length: int, unit: str) -> Image.Image:
        """Draw it along ``length`` pixels, with numbers at round values and the unit."""
        # It ends short of the picture's corners, so that numbers at its ends are not cut off.
        inset = self.text * (1 if self.upright else 2)
        extent = max(2, length - 2 * inset)
        near = round(self.text * 0.6)
        strip = _strip(scale, extent=extent, thickness=self.thickness, upright=self.upright)
        size = (self.across, length) if self.upright else (length, self.across)
        panel = Image.new("RGB", size, PAPER)
        panel.paste(strip, (near, inset) if self.upright else (inset, near))
        draw, typeface, far = ImageDraw.Draw(panel), font(self.text), near + self.thickness
        for value, label in self.numbers(scale, extent=extent):
            along = round(float(scale.position(np.array([value]))[0]) * (extent - 1))
            if self.upright:
                y = inset + extent - 1 - along
                draw.line([(far, y), (far + self.text // 3, y)], fill=INK)
                draw.text((far + self.text // 2, y), label, fill=INK, font=typeface, anchor="lm")
            else:
                x = inset + along
                draw.line([(x, far), (x, far + self.text // 3)], fill=INK)
                draw.text((x, far + self.text // 2), label, fill=INK, font=typeface, anchor="ma")
        self._write_unit(panel, unit)
        return panel

    def numbers(self, scale: Scale, *, extent: int) -> list[tuple[float, str]]:
        """As many numbers as have air around them, and no more than one can take in."""
        typeface = font(self.text)
        for most in range(_MOST_TICKS, 1, -1):
            values = ticks(scale, most=most)
            step = values[1] - values[0] if len(values) > 1 else scale.high - scale.low
            labels = [(value, number(value, step)) for value in values]
            widest = max(width_of(label, typeface) for _, label in labels)
            room = 3 * self.text if self.upright else widest + 1.5 * self.text
            if len(labels) == 1 or extent * step / (scale.high - scale.low) >= room:
                return labels
        return [(0.0, "0")]

    def _write_unit(self, panel: Image.Image, unit: str) -> None:
        typeface = font(self.text)
        text = shortened(drawable(unit), typeface, width=max(panel.size) - 2 * self.text)
        if not text:
            return
        line = Image.new("RGB", (width_of(text, typeface) + 2, round(self.text * 1.4)), PAPER)
        ImageDraw.Draw(line).text(
            (1, line.height // 2), text, fill=FAINT, font=typeface, anchor="lm"
        )
        if self.upright:
            line = line.transpose(Image.Transpose.ROTATE_90)
            corner = panel.width - line.width - self.text // 4, (panel.height - line.height) // 2
        else:
            corner = (panel.width - line.width) // 2, panel.height - line.height - self.text // 4
        panel.paste(line, corner)


def _strip(scale: Scale, *, extent: int, thickness: int, upright: bool) -> Image.Image:
    ramp = np.linspace(scale.low, scale.high, extent)
    if upright:
        return scale.paint(np.repeat(ramp[::-1, None], thickness, axis=1))
    return scale.paint(np.repeat(ramp[None, :], thickness, axis=0))
