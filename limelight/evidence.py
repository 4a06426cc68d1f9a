"""What of a job can be computed with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from limelight.reading import known_fields, read


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassAttributions:
    """All attributions of one class, one per segment, in units of ``score_scale``."""

    class_index: int
    attributions: tuple[float, ...]
    class_name: str | None = None
    score: float | None = None
    score_kind: str | None = None
    score_scale: str | None = None
    intercept: float | None = None
    standard_errors: tuple[float, ...] | None = None
    sign_confidence: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Attributions:
    """Everything of a job that can be computed with.

    Attributes
    ----------
    width, height : int
        Of the upload and of the label map, in pixels.
    areas : tuple of float
        Share of the upload's pixels, per segment.
    segment_numbers : tuple of int
        The number in ``segments.png`` of each segment, in the order of ``areas`` and of all
        figures: its label in your own label map, or 0, 1, 2, …
    classes : tuple of ClassAttributions
    """

    width: int
    height: int
    areas: tuple[float, ...]
    classes: tuple[ClassAttributions, ...]
    segments: Mapping[str, Any] = field(default_factory=dict)
    segment_numbers: tuple[int, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_json(cls, document: Any) -> Attributions:
        """Read ``attributions.json``; raises BadAnswer if it is something else."""
        return read("the attributions", _attributions, document)


def _attributions(document: Mapping[str, Any]) -> Attributions:
    known = known_fields(Attributions, document)
    known["areas"] = tuple(known["areas"])
    known["segment_numbers"] = tuple(known.get("segment_numbers", range(len(known["areas"]))))
    known["classes"] = tuple(map(_class_attributions, known["classes"]))
    return Attributions(**known, raw=document)


def _class_attributions(document: Mapping[str, Any]) -> ClassAttributions:
    known = known_fields(ClassAttributions, document)
    for name in ("attributions", "standard_errors", "sign_confidence"):
        if name in known:
            known[name] = tuple(known[name])
    return ClassAttributions(**known)
