"""What production answered: scores of classes, as a person types them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Other machines add in another order, and a cosine transform or two differ by a bit.
SLACK: Final = 0.002
_PERCENT: Final = 100.0


class BadScore(ValueError):
    """What was typed is no score of a class of this model."""


@dataclass(frozen=True)
class Wanted:
    """A score of production.

    Attributes
    ----------
    index : int
        The class.
    name : str
        What to call it.
    score : float
    tolerance : float
        How far the score may be off: half a unit of the last digit that was typed, and ``SLACK``.
    """

    index: int
    name: str
    score: float
    tolerance: float


def read_wanted(text: str, *, labels: Sequence[str] | None, class_count: int | None) -> Wanted:
    """Read ``"espresso=0.561"``, ``"967=0.561"`` or ``"espresso=56.1%"``.

    Raises
    ------
    BadScore
        If it is not of this form, or names no class, or several.
    """
    name, equals, value = (part.strip() for part in text.rpartition("="))
    if not equals or not name:
        raise BadScore(f"{text!r} is no score: write CLASS=SCORE, for example espresso=0.561.")
    percent = value.endswith("%")
    digits = value.removesuffix("%").strip()
    try:
        score = float(digits)
    except ValueError:
        score = float("nan")
    if not np.isfinite(score):
        raise BadScore(f"{value!r} is no number: write {name}=0.561.")
    unit = 10.0 ** -len(digits.partition(".")[2]) if "e" not in digits.lower() else 0.0
    factor = 1 / _PERCENT if percent else 1.0
    index = _class_index(name, labels)
    if class_count is not None and index >= class_count:
        raise BadScore(f"The model has {class_count} classes; there is no class {index}.")
    called = labels[index] if labels is not None and index < len(labels) else f"class {index}"
    return Wanted(index, called, score * factor, unit * factor / 2 + SLACK)


def _class_index(name: str, labels: Sequence[str] | None) -> int:
    found = [index for index, label in enumerate(labels or ()) if label.lower() == name.lower()]
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        raise BadScore(
            f"{len(found)} classes are called {name!r}: write the index that is meant, one of "
            f"{', '.join(map(str, found))}."
        )
    if name.isdecimal():
        return int(name)
    if labels is None:
        raise BadScore(f"The profile has no labels: write the index of {name!r} instead.")
    close = difflib.get_close_matches(name, labels, n=3)
    hint = f" Did you mean {', '.join(map(repr, close))}?" if close else ""
    raise BadScore(f"No class is called {name!r}.{hint} An index will do, too.")


def furthest(scores: NDArray[np.float64], wanted: Sequence[Wanted]) -> float:
    """Return by how much the scores (classes,) miss what is wanted, in tolerances; 1 is enough."""
    return max(abs(float(scores[one.index]) - one.score) / one.tolerance for one in wanted)
