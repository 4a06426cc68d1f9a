"""A measured figure and the goal it is held against."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the bench's output.

    Attributes
    ----------
    name : str
    value : float
        In ``unit``.
    unit : str
    goal : float or None
        The most that ``value`` may be, or the least; None for a figure that stands for comparison.
    goal_is : str
        ``at most`` or ``at least``.
    """

    name: str
    value: float
    unit: str
    goal: float | None = None
    goal_is: Literal["at most", "at least"] = "at most"

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        if self.goal is None:
            return None
        return self.value <= self.goal if self.goal_is == "at most" else self.value >= self.goal

    def as_line(self) -> str:
        """One JSON object; an infinite value, of what was never reached, is null in it."""
        value = float(f"{self.value:.4g}") if math.isfinite(self.value) else None
        rounded = {**asdict(self), "value": value}
        return json.dumps({**rounded, "met": self.met})


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of the ratios of rounds that were measured in turn: drift of the machine cancels."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
