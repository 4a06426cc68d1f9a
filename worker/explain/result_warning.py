"""What comes with a result about how far to trust it, as data: warnings, and a summary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# "critical": do not read this answer. "info": worth knowing, and says nothing against it.
Severity = Literal["info", "warning", "critical"]

# A new code is described in docs/api.md, too.
WarningCode = Literal[
    "hidden-score-high",
    "labels-cut-off",
    "labels-vanished",
    "large-segment",
    "log-odds-clipped",
    "low-fidelity",
    "model-version-changed",
    "no-standard-errors",
    "not-certified",
    "not-settled",
    "other",
    "output-depends-on-batch",
    "output-not-repeatable",
    "samples-below-unknowns",
    "samples-few",
    "samples-one-block",
    "score-near-zero",
    "score-unbounded",
    "score-unchanged",
    "surrogate-misses-score",
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


# "none": at least one warning is critical. "poor": there is a warning. "fair": there is none, and
# something is middling or not known. "good": all that can be tested is good.
TrustLevel = Literal["good", "fair", "poor", "none"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustReason:
    """A figure that no warning is about, in words.

    Attributes
    ----------
    level : str
        How good it is; ``"unknown"`` where it could not be computed.
    title, text : str
        A few words, and a sentence or two with the figures.
    """

    level: Literal["good", "fair", "unknown"]
    title: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Trust:
    """How far to trust the explanation of one class: the warnings about it and these reasons."""

    level: TrustLevel
    reasons: tuple[TrustReason, ...]
