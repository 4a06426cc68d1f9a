"""How far to trust an answer, as the service judged it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from limelight.reading import each


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultWarning:
    """One thing that speaks against an answer, or that is worth knowing before it is read.

    Attributes
    ----------
    code : str
        What programs go by. The service may have codes that this version does not know.
    severity : str
        ``"info"``, ``"warning"``, or ``"critical"``: do not read this answer.
    text, cure : str
        What is the matter, with the figures; and what to change, empty where nothing can be.
    class_index : int or None
        The class that it is about; None for all.
    """

    code: str
    severity: str
    text: str
    cure: str = ""
    class_index: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrustReason:
    """A figure that no warning is about, in words; its level is good, fair or unknown."""

    level: str
    title: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Trust:
    """How far to trust the explanation of one class.

    Attributes
    ----------
    level : str or None
        ``"good"``, ``"fair"``, ``"poor"`` (there is a warning) or ``"none"`` (there is a critical
        one). None from a service that does not know it.
    reasons : tuple of TrustReason
        What no warning is about.
    """

    level: str | None = None
    reasons: tuple[TrustReason, ...] = ()

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Trust:
        """Read it; what the service did not say is None or empty."""
        reasons = each(TrustReason, document.get("reasons"))
        return cls(level=document.get("level"), reasons=reasons)
