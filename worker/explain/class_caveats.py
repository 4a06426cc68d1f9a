"""Caveats about the explanation of one class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from worker.explain import figures
from worker.explain.assessment import Assessment, Verdict
from worker.explain.explanation import ClassExplanation, Floats
from worker.explain.findings import Ends
from worker.explain.options import ExplanationOptions, Ridge, ScoreKind
from worker.explain.perturb import Hiding
from worker.explain.result_warning import ResultWarning
from worker.explain.scoring import LOGIT_LIMIT, SCALES, are_bounded
from worker.explain.surrogate import fit

# On photographs 0.4 to 0.6 is common, and a warning that comes with every answer warns of nothing.
LOW_FIDELITY = 0.3
NEAR_ZERO = 0.01
NOISY = 0.3
# How far above chance the score of the hidden image is before it is worth a word, and the shares of
# the way from chance to the score at which the baseline looks like the class, and like the image.
NOTABLE = 0.1
HALF_LEFT, ALL_LEFT = 0.5, 0.9
EVEN = 0.5
# How far the surrogate's score may be off: of a probability, and as a share of the scores' range.
GAP, GAP_SHARE = 0.1, 0.25
SATURATED = 0.999
# Those that show nothing of what they hide.
NEUTRAL_BASELINES = ("blur", "grey", "black", "image-mean")

MORE_SAMPLES = "Raise samples, or ask for fewer segments."


@dataclass(frozen=True, kw_only=True, eq=False)
class Context:
    """What the caveats of all classes are decided by."""

    assessment: Assessment
    hiding: Hiding
    ends: Ends
    kind: ScoreKind
    options: ExplanationOptions

    @property
    def bounded(self) -> bool:
        """Whether scores lie in [0, 1], so that 0 means no and 1 means yes."""
        return are_bounded(np.stack([self.ends.whole, self.ends.hidden]))

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest score of the untouched image."""
        return float(self.ends.whole.min()), float(self.ends.whole.max())

    @property
    def on_logits(self) -> bool:
        """Whether log-odds are explained."""
        return self.options.score_scale == "logit"

    def scaled(self, score: float) -> float:
        """Bring a score to the scale that is explained."""
        return float(SCALES[self.options.score_scale](np.array([score]))[0])


def of_class(
    answer: ClassExplanation, verdict: Verdict, context: Context
) -> Iterator[ResultWarning]:
    """Tell each thing that speaks against the explanation of a class."""
    if not verdict.moved:
        yield _unchanged(answer, verdict, context)
        yield from _of_clipping(answer, verdict, context)
        return
    if context.bounded:
        yield from _of_score(answer, context)
        yield from _of_hidden_score(answer, context)
    yield from _of_clipping(answer, verdict, context)
    yield from _of_gap(answer, verdict, context)
    yield from _of_verdict(answer, verdict, context.assessment, context.options)
    yield from _of_fidelity(answer, verdict, context)


def _unchanged(answer: ClassExplanation, verdict: Verdict, context: Context) -> ResultWarning:
    change = float(np.ptp(verdict.scores))
    said = "did not change the score"
    if change > 0:
        said = f"changed the score by {change:.1g} at most, which is rounding"
    if (context.hiding.picture == context.hiding.baseline).all():
        reason = ": the baseline looks the same as the image."
        cure = "Take another baseline."
    elif answer.score > SATURATED and context.bounded:
        reason = ": the model is sure of the class whatever is hidden."
        cure = "Serve the model's logits and explain those, or take another baseline."
        if not context.on_logits and figures.moved(SCALES["logit"](verdict.scores)):
            cure = "Use score_scale 'logit', or another baseline."
    else:
        reason = ": it does not depend on what the baseline hides."
        cure = "Try another baseline, another class or another image."
    return ResultWarning(
        code="score-unchanged",
        severity="critical",
        class_index=answer.class_index,
        text=f"Hiding segments {said}{reason}",
        cure=cure,
    )


def _of_score(answer: ClassExplanation, context: Context) -> Iterator[ResultWarning]:
    if answer.score < NEAR_ZERO and not context.on_logits:
        yield ResultWarning(
            code="score-near-zero",
            severity="warning",
            class_index=answer.class_index,
            text=f"The model gives this class a score of {answer.score:.2g}, so the attributions "
            "are shares of next to nothing.",
            cure="Explain a class with a higher score, or use score_scale 'logit'.",
        )


def _of_hidden_score(answer: ClassExplanation, context: Context) -> Iterator[ResultWarning]:
    chance = 1.0 / len(context.ends.whole) if context.kind == "probability" else 0.0
    score, hidden = answer.score, answer.hidden_score
    # Of two classes the other has the opposite attributions, so it counts where it is sure.
    of_other = chance == EVEN and max(score, hidden) < chance - NOTABLE * (1.0 - chance)
    if of_other:
        score, hidden = 1.0 - score, 1.0 - hidden
    notable = hidden - chance > NOTABLE * (1.0 - chance)
    # Log-odds have no zero but that of even odds.
    nothing = context.scaled(max(chance, EVEN) if context.on_logits and not chance else chance)
    there = context.scaled(score) - nothing
    left = (context.scaled(hidden) - nothing) / there if there > 0 else HALF_LEFT + 1
    same = there > 0 and ALL_LEFT <= left <= 1 / ALL_LEFT
    if not same and not (notable and left > HALF_LEFT):
        return
    if of_other:
        said = "The baseline leaves the other class there"
    elif same:
        said = "The baseline takes nothing of the class away"
    else:
        said = "The baseline itself looks like the class"
    yield ResultWarning(
        code="hidden-score-high",
        severity="critical" if same and notable else "warning",
        class_index=answer.class_index,
        text=f"{said}: with every segment hidden the score is {answer.hidden_score:.3g}, of the "
        f"untouched image {answer.score:.3g}.",
        cure=f"Take another baseline: {_others(context.options.baseline.method)}.",
    )


def _others(baseline: str) -> str:
    """Name the baselines that are of another kind than the one in use."""
    *names, last = (f"'{name}'" for name in NEUTRAL_BASELINES if name != baseline)
    return f"{', '.join(names)} or {last}"


def _of_clipping(
    answer: ClassExplanation, verdict: Verdict, context: Context
) -> Iterator[ResultWarning]:
    if not context.on_logits:
        return
    clipped = float(np.mean(np.abs(verdict.scores) >= LOGIT_LIMIT))
    whole = abs(context.scaled(answer.score)) >= LOGIT_LIMIT
    given = [f"{max(clipped, 0.01):.0%} of the perturbed images"] if clipped else []
    if whole:
        given.append("the untouched image")
    if given:
        yield ResultWarning(
            code="log-odds-clipped",
            severity="warning",
            class_index=answer.class_index,
            text=f"The model gave {' and '.join(given)} a score of 0 or 1 within what float32 can "
            f"tell apart, whose log-odds are cut off at ±{LOGIT_LIMIT:.1f}.",
            cure="Serve the model's logits and explain those, or use score_scale 'probability'.",
        )


def _of_gap(
    answer: ClassExplanation, verdict: Verdict, context: Context
) -> Iterator[ResultWarning]:
    score = context.scaled(answer.score)
    allowed = GAP
    if context.on_logits or not context.bounded:
        ends = [score, context.scaled(answer.hidden_score)]
        allowed = GAP_SHARE * float(np.ptp([*verdict.scores, *ends]))
    if abs(score - answer.surrogate_score) > allowed:
        unit = " in log-odds" if context.on_logits else ""
        yield ResultWarning(
            code="surrogate-misses-score",
            severity="warning",
            class_index=answer.class_index,
            text="The segments do not add up to the score: of the untouched image the surrogate "
            f"makes {answer.surrogate_score:.3g}, the model {score:.3g}{unit}.",
            cure="Read which segments are strong, not how much each adds.",
        )


def _of_verdict(
    answer: ClassExplanation,
    verdict: Verdict,
    assessment: Assessment,
    options: ExplanationOptions,
) -> Iterator[ResultWarning]:
    index, used = answer.class_index, len(assessment.evidence.samples)
    if verdict.fit.unstable:
        yield ResultWarning(
            code="surrogate-unstable",
            severity="critical",
            class_index=index,
            text="The Bayesian ridge ended with a penalty below zero, so its attributions mean "
            "little.",
            cure="Raise samples, or use surrogate 'ridge'.",
        )
    elif answer.settled is None and options.stopping != "fixed":
        yield ResultWarning(
            code="no-standard-errors",
            severity="info",
            class_index=index,
            text="This surrogate has no standard errors, so it could not be told whether the "
            f"answer was {options.stopping} before the limit.",
            cure="Use surrogate 'ridge' without feature selection.",
        )
    elif answer.settled is False and verdict.has_blocks:
        yield ResultWarning(
            code="not-settled",
            severity="warning",
            class_index=index,
            text=f"The top segments were not settled after {used} samples: others could put other "
            "segments there.",
            cure=MORE_SAMPLES,
        )
    elif options.stopping == "certified" and not answer.certified and verdict.has_blocks:
        yield ResultWarning(
            code="not-certified",
            severity="warning",
            class_index=index,
            text=f"The top segments are settled but not certified after {used} samples.",
            cure=MORE_SAMPLES,
        )
    elif answer.relative_error is not None and answer.relative_error > NOISY:
        yield ResultWarning(
            code="uncertain-attributions",
            severity="warning",
            class_index=index,
            text=f"Of all attributions together {answer.relative_error:.0%} may be due to chance.",
            cure=MORE_SAMPLES,
        )


def _of_fidelity(
    answer: ClassExplanation, verdict: Verdict, context: Context
) -> Iterator[ResultWarning]:
    fidelity, name = answer.press_r2, "PRESS R²"
    if fidelity is None:
        fidelity, name = answer.r2, "R²"
    if fidelity >= LOW_FIDELITY:
        return
    reason, cure = _why_unfaithful(fidelity, verdict, context)
    yield ResultWarning(
        code="low-fidelity",
        severity="warning",
        class_index=answer.class_index,
        text=f"The surrogate follows the model badly ({name} {fidelity:.2f}): {reason}.",
        cure=cure,
    )


def _why_unfaithful(fidelity: float, verdict: Verdict, context: Context) -> tuple[str, str]:
    options = context.options
    used, segments = context.assessment.evidence.samples.shape
    plain = _plain_fidelity(verdict.scores, context)
    if plain is not None and plain >= max(LOW_FIDELITY, fidelity + GAP):
        better = f"a ridge on all segments reaches PRESS R² {plain:.2f} from the same samples"
        if options.feature_selection != "none" and verdict.fit.selected:
            return (
                f"its feature selection leaves out segments that matter, as {better}",
                "Raise num_features, or use feature_selection 'none'.",
            )
        return (
            f"the penalty of surrogate '{options.surrogate.method}' is the reason, as {better}",
            "Lower its alpha, or use surrogate 'ridge'.",
        )
    if context.ends.varies is not None:
        return "the scores depend on more than the image", "See to that first."
    if used < 2 * segments:
        return f"{used} samples are few for {segments} segments", MORE_SAMPLES
    other = ", score_scale 'logit'" if context.bounded and not context.on_logits else ""
    return (
        "regions act together rather than add up",
        f"Try more segments, another baseline{other}, or read the picture as a hint only.",
    )


def _plain_fidelity(scores: Floats, context: Context) -> float | None:
    """PRESS R² of the default surrogate on the same samples; None if that was used."""
    options = context.options
    default = Ridge(method="ridge")
    if options.surrogate == default and options.feature_selection == "none":
        return None
    assessment = context.assessment
    (plain,) = fit(
        assessment.evidence.samples,
        scores[:, np.newaxis],
        assessment.weights,
        options.model_copy(update={"surrogate": default, "feature_selection": "none"}),
    )
    return figures.press_r2(plain, scores, assessment.weights)
