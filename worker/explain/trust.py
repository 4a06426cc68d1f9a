"""How far to trust the explanation of one class: its warnings, and what else is known of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from worker.explain.explanation import ClassExplanation
from worker.explain.result_warning import ResultWarning, Trust, TrustLevel, TrustReason

# PRESS R² from which a sum of segments predicts most of what the score does.
CLOSE_FIDELITY = 0.75

_OF_FIDELITY = {"low-fidelity", "score-unchanged"}
_OF_SAMPLING = {
    "samples-below-unknowns", "samples-one-block", "score-unchanged", "surrogate-unstable",
    "no-standard-errors", "not-settled", "not-certified",
}  # fmt: skip


def trust(answer: ClassExplanation, warnings: Sequence[ResultWarning]) -> Trust:
    """Sum up what is known against and for the explanation of a class.

    Parameters
    ----------
    answer : ClassExplanation
    warnings : sequence of ResultWarning
        All of the result. What one of them is about has no reason beside it.
    """
    own = [one for one in warnings if one.class_index in (None, answer.class_index)]
    codes = {one.code for one in own}
    reasons: list[TrustReason] = []
    if not codes & _OF_FIDELITY:
        reasons += _fidelity(answer)
    if not codes & _OF_SAMPLING:
        reasons += _sampling(answer)
    return Trust(level=_level(own, reasons), reasons=tuple(reasons))


def _level(warnings: Sequence[ResultWarning], reasons: Sequence[TrustReason]) -> TrustLevel:
    severities = {one.severity for one in warnings}
    if "critical" in severities:
        return "none"
    if "warning" in severities:
        return "poor"
    return "good" if all(reason.level == "good" for reason in reasons) else "fair"


def _fidelity(answer: ClassExplanation) -> Iterator[TrustReason]:
    if answer.press_r2 is None:
        yield TrustReason(
            level="unknown",
            title="Fidelity known only in sample",
            text=f"R² on the samples that the surrogate was fitted to is {answer.r2:.2f}. This "
            "flatters, and this surrogate has no figure for samples left out.",
        )
        return
    share = (
        f"On samples left out of the fit, R² is {answer.press_r2:.2f}. In sample, which flatters, "
        f"it is {answer.r2:.2f}."
    )
    if answer.press_r2 >= CLOSE_FIDELITY:
        yield TrustReason(level="good", title="Follows the model closely", text=share)
    else:
        yield TrustReason(
            level="fair",
            title="Follows the model roughly",
            text=f"{share} Trust the strongest segments more than the order of the others.",
        )


def _sampling(answer: ClassExplanation) -> Iterator[TrustReason]:
    known = (
        ""
        if answer.relative_error is None
        else f" Of all attributions together {answer.relative_error:.0%} may be due to chance."
    )
    if answer.settled:
        yield TrustReason(
            level="good",
            title="The top segments are settled",
            text="Each of the five strongest is rightly there, within a tenth of the largest "
            f"attribution, at 95%.{known}",
        )
    else:
        yield TrustReason(
            level="unknown",
            title="Not tested whether it is settled",
            text="With these options it cannot be told whether more samples would change the top "
            f"segments.{known}",
        )
