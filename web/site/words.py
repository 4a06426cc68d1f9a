"""What the figures of an explanation mean, in words. ``docs/explanations.md`` says the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal

Level = Literal["good", "fair", "poor", "note"]

# Where the words about fidelity change. R² has no natural steps; these are for reading only.
_CLOSE, _ROUGH = 0.75, 0.5
# The surrogate's own score may be this far from the model's before it is worth a word.
_GAP = 0.1
# Below this a score with everything hidden looks like nothing in particular.
_NOTABLE = 0.1
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

STATUSES: Mapping[str, str] = MappingProxyType(
    {
        "queued": "Waiting",
        "processing": "Working",
        "succeeded": "Done",
        "failed": "Failed",
        "canceled": "Canceled",
        "expired": "Expired",
    }
)
STAGES: Mapping[str, str] = MappingProxyType(
    {
        "queued": "Waiting for a worker",
        "claimed": "A worker has taken it",
        "following": "Another job does the same work; waiting for its result",
        "resolving": "Asking the model server for its version",
        "loading": "Reading the image",
        "segmenting": "Cutting the image into segments",
        "sampling": "Scoring perturbed images",
        "drawing": "Drawing the pictures",
        "storing": "Keeping the result",
        "done": "Done",
    }
)
WAITING: Mapping[str, str] = MappingProxyType(
    {
        "model-busy": "Other jobs have all the calls that the model takes.",
        "model-unavailable": "The model server cannot be used at the moment.",
        "storage": "The storage cannot be used at the moment.",
        "memory": "The worker has too little memory at the moment.",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One thing to know: how good that is, a few words, and the sentence with the figures."""

    level: Level
    title: str
    text: str


def statements(explanation: Mapping[str, Any], *, hidden_score: float | None) -> list[Statement]:
    """Say how far to trust the explanation of one class.

    Parameters
    ----------
    explanation : mapping
        As the API shows it.
    hidden_score : float or None
        The model's score with every segment hidden.
    """
    return [
        _fidelity(explanation["fidelity"]),
        _settled(explanation["settled"], explanation.get("relative_error")),
        *_sum(explanation),
        *_baseline(explanation["score"], hidden_score),
    ]


def _fidelity(fidelity: Mapping[str, float | None]) -> Statement:
    honest, fitted = fidelity["press_r2"], fidelity["r2"]
    if honest is None:
        told = "not defined" if fitted is None else f"{fitted:.2f}"
        is_poor = fitted is not None and fitted < _ROUGH
        return Statement(
            level="poor" if is_poor else "note",
            title="Follows the model only loosely" if is_poor else "Fidelity known only in sample",
            text=f"R² on the samples that the linear model was fitted to is {told}. This flatters, "
            "and this surrogate has no figure for samples left out.",
        )
    beside = "" if fitted is None else f" In sample, which flatters, it is {fitted:.2f}."
    share = f"On samples left out of the fit, R² is {honest:.2f}.{beside}"
    if honest >= _CLOSE:
        return Statement(level="good", title="Follows the model closely", text=share)
    if honest >= _ROUGH:
        return Statement(
            level="fair",
            title="Follows the model roughly",
            text=f"{share} Trust the strongest segments more than the order of the others.",
        )
    return Statement(
        level="poor",
        title="Follows the model only loosely",
        text=f"{share} Segments act together rather than add up: take this as a hint.",
    )


def _settled(settled: bool | None, relative_error: float | None) -> Statement:
    # Results of earlier versions do not have it.
    known = (
        ""
        if relative_error is None
        else f" Of all attributions together {relative_error:.0%} may be due to chance."
    )
    if settled is None:
        return Statement(
            level="note",
            title="Not tested whether it is settled",
            text="With these options it cannot be told whether more samples would change the top.",
        )
    if settled:
        return Statement(
            level="good",
            title="The top five segments are settled",
            text="Each is rightly there, within a tenth of the largest attribution, at 95 %."
            f"{known}",
        )
    return Statement(
        level="poor",
        title="The top five segments are not settled",
        text=f"Other samples could put other segments there.{known}",
    )


def _sum(explanation: Mapping[str, Any]) -> Iterator[Statement]:
    score, surrogate = explanation["score"], explanation["surrogate_score"]
    # Where log-odds are explained the two are not in the same units.
    if explanation["score_scale"] == "probability" and abs(score - surrogate) > _GAP:
        yield Statement(
            level="poor",
            title="The segments do not add up to the score",
            text=f"The linear model gives the whole image {number(surrogate)}, the model itself "
            f"{number(score)}.",
        )


def _baseline(score: float, hidden_score: float | None) -> Iterator[Statement]:
    if hidden_score is not None and hidden_score > max(_NOTABLE, score / 2):
        yield Statement(
            level="poor",
            title="What hides a segment looks like the class itself",
            text=f"With everything hidden the model still gives {number(hidden_score)}. Take "
            "another baseline before believing this picture.",
        )


def number(value: float) -> str:
    """Write a score with three digits behind the point, or as many as it takes to see it."""
    if value == 0 or abs(value) >= 0.001:  # noqa: PLR2004
        return f"{value:.3f}"
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{digits}e{int(exponent)}"


def signed(value: float) -> str:
    """Write an attribution, with its sign."""
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{number(abs(value))}"


def duration(seconds: float) -> str:
    """Write a length of time in one unit."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004
    units = ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"))
    length, name = next(unit for unit in units if seconds >= unit[0])
    count = round(seconds / length)
    return f"{count} {name}{'' if count == 1 else 's'}"


def ago(then: float, *, now: float) -> str:
    """Say how long ago something was."""
    return "just now" if now - then < 10 else f"{duration(now - then)} ago"  # noqa: PLR2004


def moment(seconds: float) -> str:
    """Write a time for reading, in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
