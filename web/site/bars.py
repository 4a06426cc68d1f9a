"""Bars with error bars, laid out in shares of a row's width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from web.site.words import signed

# Half the width of a 95% interval, in standard errors.
Z95 = 1.96


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A segment in a chart.

    Attributes
    ----------
    rank : int
        From 1, by |attribution|.
    value, error : str
        As people read them; the error is half of the 95% interval, empty if not known.
    said : str
        What the value says of the class.
    x, width : str
        The bar, in percent.
    low, high : str or None
        The error bar, in percent.
    """

    segment: int
    rank: int
    value: str
    error: str
    is_positive: bool
    said: str
    area: float
    x: str
    width: str
    low: str | None
    high: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """The strongest segments of a class, on one scale; ``zero`` in percent."""

    zero: str
    bars: tuple[Bar, ...]

    @property
    def has_errors(self) -> bool:
        """Whether any error is known."""
        return any(bar.error for bar in self.bars)


def chart(segments: Sequence[Mapping[str, Any]]) -> Chart:
    """Lay out the top segments of a class, as the API shows them."""
    ends = [0.0]
    for one in segments:
        half = Z95 * (one["standard_error"] or 0.0)
        ends += [one["attribution"] - half, one["attribution"] + half]
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0

    def at(value: float) -> str:
        return f"{100 * (value - low) / span:.2f}%"

    bars = tuple(_bar(one, rank, at, span) for rank, one in enumerate(segments, start=1))
    return Chart(zero=at(0.0), bars=bars)


def _bar(one: Mapping[str, Any], rank: int, at: Any, span: float) -> Bar:
    value, error = one["attribution"], one["standard_error"]
    half = None if error is None else Z95 * error
    return Bar(
        segment=one["segment"],
        rank=rank,
        value=signed(value),
        error="" if half is None else f"± {signed(half).lstrip('+')}",
        is_positive=value >= 0,
        said="speaks for" if value > 0 else "speaks against" if value < 0 else "has no say",
        area=one["area"],
        x=at(min(value, 0.0)),
        width=f"{100 * abs(value) / span:.2f}%",
        low=None if half is None else at(value - half),
        high=None if half is None else at(value + half),
    )
