"""Warnings that come with a result: what speaks against the answer, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# "critical": do not read this answer. "info": worth knowing, and says nothing against it.
Severity = Literal["info", "warning", "critical"]

# A new code is described in docs/api.md, too.
WarningCode = Literal[
    "labels-cut-off",
    "labels-vanished",
    "large-segment",
    "low-fidelity",
    "model-version-changed",
    "no-standard-errors",
    "not-certified",
    "not-settled",
    "other",
    "samples-below-unknowns",
    "samples-few",
    "samples-one-block",
    "score-near-zero",
    "score-unchanged",
    "surrogate-unstable",
    "uncertain-attributions",
    "values-below-range",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultWarning:
    """One thing that speaks against an answer, or that its reader should know.

    Attributes
    ----------
    code : str
        What programs go by.
    severity : str
    text : str
        What is the matter, with the figures, in a sentence or two.
    cure : str
        What to change, in a sentence or two; empty where nothing can be.
    class_index : int or None
        The explained class that it is about; None for all of them.
    """

    code: WarningCode
    severity: Severity
    text: str
    cure: str = ""
    class_index: int | None = None
