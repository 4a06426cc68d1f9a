"""The sheet: four pictures with the class, its score and the fidelity, for a ticket or a slide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw

from worker.explain.options import Picture
from worker.explain.overlays.colour import SIGN_COLOURS, Bar, Scale
from worker.explain.overlays.heat import heat
from worker.explain.overlays.scene import Scene
from worker.explain.overlays.stage import Stage
from worker.explain.overlays.styles import boundaries, signed
from worker.explain.overlays.text import (
    ALERT,
    FAINT,
    INK,
    PAPER,
    drawable,
    font,
    shortened,
    width_of,
)

_PANELS: Final = 4
_COLUMNS: Final = (4, 2, 1)
_LEGIBLE_SIDE: Final = 480  # A smaller sheet is drawn at this side and reduced.
_LEAST, _MOST = 0.001, 1e6  # Scores beyond are written as powers of ten.
_TITLE_WIDTH: Final = 36  # At least this many times the height of its text.


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where things are on a sheet, in pixels.

    Attributes
    ----------
    text, gap, header : int
        Height of captions, space between panels, height of the title.
    columns : int
        Panels side by side.
    panel : tuple of int
        (width, height) of one photograph.
    bar : Bar
        The heat map's colour bar, upright at the sheet's right edge or below the sheet.
    """

    text: int
    gap: int
    header: int
    columns: int
    panel: tuple[int, int]
    bar: Bar

    @classmethod
    def fit(cls, upload: tuple[int, int], *, max_side: int, warned: bool = False) -> Layout:
        """Find the arrangement that shows an upload of (width, height) largest.

        ``warned`` leaves room for a warning under the title.
        """
        return max(
            (cls._of(upload, max_side, columns, warned) for columns in _COLUMNS),
            key=lambda layout: layout.area,
        )

    @classmethod
    def _of(cls, upload: tuple[int, int], max_side: int, columns: int, warned: bool) -> Layout:
        text = max(10, round(max_side / 62))
        gap, header, rows = text, round(text * (5.6 + 1.5 * warned)), _PANELS // columns
        # Beside four panels in a row the bar costs the least; else it lies below the heat map.
        bar = Bar.of_text(text, upright=columns == _PANELS)
        across = max_side - gap * (columns + 1) - (bar.across if bar.upright else 0)
        down = max_side - header - rows * (2 * text + gap) - (0 if bar.upright else bar.across)
        scale = min(across / columns / upload[0], down / rows / upload[1])
        panel = max(1, int(upload[0] * scale)), max(1, int(upload[1] * scale))
        return cls(text=text, gap=gap, header=header, columns=columns, panel=panel, bar=bar)

    @property
    def area(self) -> int:
        """Pixels of one photograph."""
        return self.panel[0] * self.panel[1]

    @property
    def grid(self) -> tuple[int, int]:
        """Width and height of the panels with their captions, without margins."""
        rows = _PANELS // self.columns
        width = self.columns * self.panel[0] + (self.columns - 1) * self.gap
        height = rows * (self.panel[1] + 2 * self.text) + (rows - 1) * self.gap
        bar = self.bar.across
        return (width + bar, height) if self.bar.upright else (width, height + bar)

    def place(self, index: int, *, left: int) -> tuple[int, int]:
        """Where the photograph of a panel begins, given the left edge of the grid."""
        row, column = divmod(index, self.columns)
        return (
            left + column * (self.panel[0] + self.gap),
            self.header + row * (self.panel[1] + 2 * self.text + self.gap) + 2 * self.text,
        )


def sheet(picture: Picture, scene: Scene) -> Image.Image:
    """Original, segments, signed and heat map, with class, score and fidelity above them."""
    upload = scene.upload.shape[1], scene.upload.shape[0]
    warning = _warning(scene)
    layout = Layout.fit(upload, max_side=max(picture.max_side, _LEGIBLE_SIDE), warned=bool(warning))
    stage = Stage.of(scene, layout.panel)
    hot, scale = heat(picture, scene, stage)
    panels = (
        ("Original", stage.photo),
        (_counted(scene), boundaries(picture, scene, stage)),
        ("", signed(picture, scene, stage)),
        ("Heat map", hot),
    )
    page, left = _page(layout, max_side=max(picture.max_side, _LEGIBLE_SIDE))
    _write_title(page, scene, layout, warning)
    draw = ImageDraw.Draw(page)
    for index, (caption, panel) in enumerate(panels):
        x, y = layout.place(index, left=left)
        page.paste(panel, (x, y))
        if not caption:
            _write_legend(draw, (x, y - layout.text), picture, layout)
        elif width_of(caption, font(layout.text)) <= layout.panel[0]:
            draw.text(
                (x, y - layout.text), caption, fill=FAINT, font=font(layout.text), anchor="lm"
            )
    _add_bar(page, layout, scale, at=layout.place(_PANELS - 1, left=left), unit=scene.unit)
    page.thumbnail((picture.max_side, picture.max_side), Image.Resampling.LANCZOS)
    return page


def _page(layout: Layout, *, max_side: int) -> tuple[Image.Image, int]:
    """White paper, wide enough for the title even over narrow panels, and the grid's left edge."""
    width, height = layout.grid
    page_width = min(max_side, max(width + 2 * layout.gap, _TITLE_WIDTH * layout.text))
    page = Image.new("RGB", (page_width, layout.header + height + layout.gap), PAPER)
    return page, (page_width - width) // 2


def _warning(scene: Scene) -> str:
    """Choose what speaks most against the picture, and say how much more there is."""
    told = [one for one in scene.warnings if one.severity != "info"]
    told.sort(key=lambda one: one.severity != "critical")
    if not told:
        return ""
    first = "Do not read this: " if told[0].severity == "critical" else ""
    more = f"({len(told) - 1} more) " if len(told) > 1 else ""
    return f"{more}{first}{told[0].text}"


def _write_title(page: Image.Image, scene: Scene, layout: Layout, warning: str) -> None:
    large, plain = font(layout.text * 2), font(round(layout.text * 1.1))
    draw, room = ImageDraw.Draw(page), page.width - 2 * layout.gap
    name = shortened(drawable(scene.class_name), large, width=room)
    draw.text((layout.gap, layout.text * 0.9), name, fill=INK, font=large, anchor="la")
    legible = scene.score == 0 or _LEAST <= abs(scene.score) < _MOST
    facts = [f"{scene.score_kind} {scene.score:{'.3f' if legible else '.1e'}}"]
    if scene.r2 is not None:
        facts.append(f"fidelity {scene.r2:.2f} in sample")
    if scene.press_r2 is not None:
        facts.append(f"{scene.press_r2:.2f} leave-one-out")
    facts.append(f"trust: {scene.trust}")
    line = shortened("  ·  ".join(facts), plain, width=room)
    draw.text((layout.gap, layout.text * 3.4), line, fill=FAINT, font=plain, anchor="la")
    told = shortened(drawable(warning), plain, width=room)
    draw.text((layout.gap, layout.text * 4.9), told, fill=ALERT, font=plain, anchor="la")


def _write_legend(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], picture: Picture, layout: Layout
) -> None:
    """Caption of the signed panel: a swatch of each colour, and what it says."""
    colours, typeface, size = SIGN_COLOURS[picture.colours], font(layout.text), layout.text
    for words in (("for", "against"), ("+", "-")):
        widths = [round(2.6 * size) + width_of(word, typeface) for word in words]
        if sum(widths) - size <= layout.panel[0]:
            break
    else:
        return
    x, y = at
    for colour, word, width in zip(colours, words, widths, strict=True):
        draw.rectangle((x, y - size // 2, x + size, y + size - size // 2), fill=colour)
        draw.text((x + 1.4 * size, y), word, fill=FAINT, font=typeface, anchor="lm")
        x += width


def _add_bar(
    page: Image.Image, layout: Layout, scale: Scale, *, at: tuple[int, int], unit: str
) -> None:
    width, height = layout.panel
    length = height if layout.bar.upright else width
    drawn = layout.bar.draw(scale, length=length, unit=f"attribution ({unit})")
    page.paste(drawn, (at[0] + width, at[1]) if layout.bar.upright else (at[0], at[1] + height))


def _counted(scene: Scene) -> str:
    count = scene.segment_count
    return f"{count} segments" if count != 1 else "1 segment"
