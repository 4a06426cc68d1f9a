"""Caveats: what speaks against an answer, as data, with what to change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from worker.explain import figures
from worker.explain.assessment import Assessment, Verdict
from worker.explain.explanation import ClassExplanation, Floats
from worker.explain.options import ExplanationOptions
from worker.explain.perturb import Hiding
from worker.explain.result_warning import ResultWarning
from worker.explain.samplers import block_size

# On photographs 0.4 to 0.6 is common, and a warning that comes with every answer warns of nothing.
LOW_FIDELITY = 0.3
NEAR_ZERO = 0.01
MOST_OF_THE_IMAGE = 0.5
NOISY = 0.3

_MORE_SAMPLES = "Raise samples, or ask for fewer segments."


def caveats(
    answers: Sequence[ClassExplanation],
    assessment: Assessment,
    hiding: Hiding,
    scores: Floats,
    options: ExplanationOptions,
) -> Iterator[ResultWarning]:
    """Tell each thing that speaks against an answer.

    Parameters
    ----------
    answers : sequence of C ClassExplanation
    assessment : Assessment
        The last one, with C verdicts.
    hiding : Hiding
    scores : (classes,) float64
        Of the untouched image.
    options : ExplanationOptions
    """
    yield from _of_segments(hiding)
    yield from _of_samples(assessment, options)
    are_probabilities = bool(scores.min() >= 0 and scores.max() <= 1)
    for answer, verdict in zip(answers, assessment.verdicts, strict=True):
        if are_probabilities and options.score_scale == "probability":
            yield from _of_score(answer)
        if figures.moved(verdict.scores, assessment.weights):
            yield from _of_verdict(answer, verdict, assessment, options)
            yield from _of_fidelity(answer, options)
        else:
            yield ResultWarning(
                code="score-unchanged",
                severity="critical",
                class_index=answer.class_index,
                text="Hiding segments did not change the score: it does not depend on what the "
                "baseline hides.",
                cure="Try another baseline or another class.",
            )


def _of_segments(hiding: Hiding) -> Iterator[ResultWarning]:
    largest = int(hiding.areas.argmax())
    share = hiding.areas[largest]
    if share > MOST_OF_THE_IMAGE:
        yield ResultWarning(
            code="large-segment",
            severity="warning",
            text=f"Segment {hiding.number(largest)} covers {share:.0%} of the image, so most of it "
            "is told apart from nothing.",
            cure="Ask for more segments, or for a segmentation that cuts evenly: 'slic' or 'grid'.",
        )


def _of_samples(assessment: Assessment, options: ExplanationOptions) -> Iterator[ResultWarning]:
    used, segments = assessment.evidence.samples.shape
    if used < segments + 2:
        yield ResultWarning(
            code="samples-below-unknowns",
            severity="critical",
            text=f"{used} samples cannot tell {segments} segments apart: the surrogate has "
            f"{segments + 1} unknowns.",
            cure=f"Raise samples to {2 * segments} at least, or ask for fewer segments.",
        )
    elif used < 2 * segments:
        yield ResultWarning(
            code="samples-few",
            severity="warning",
            text=f"{used} samples for {segments} segments are fewer than two for each.",
            cure=_MORE_SAMPLES,
        )
    elif assessment.evidence.independent == 1 and options.stopping != "fixed":
        least = 2 * block_size(segments)
        yield ResultWarning(
            code="samples-one-block",
            severity="warning",
            text=f"A limit of {options.samples} samples leaves no room for two blocks, without "
            "which nothing is called settled.",
            cure=f"Raise samples to {least}, or ask for fewer segments.",
        )


def _of_score(answer: ClassExplanation) -> Iterator[ResultWarning]:
    if answer.score < NEAR_ZERO:
        yield ResultWarning(
            code="score-near-zero",
            severity="warning",
            class_index=answer.class_index,
            text=f"The model gives this class a score of {answer.score:.2g}, so the attributions "
            "are shares of next to nothing.",
            cure="Explain a class with a higher score, or use score_scale 'logit'.",
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
            cure=_MORE_SAMPLES,
        )
    elif options.stopping == "certified" and not answer.certified and verdict.has_blocks:
        yield ResultWarning(
            code="not-certified",
            severity="warning",
            class_index=index,
            text=f"The top segments are settled but not certified after {used} samples.",
            cure=_MORE_SAMPLES,
        )
    elif answer.relative_error is not None and answer.relative_error > NOISY:
        yield ResultWarning(
            code="uncertain-attributions",
            severity="warning",
            class_index=index,
            text=f"Of all attributions together {answer.relative_error:.0%} may be due to chance.",
            cure=_MORE_SAMPLES,
        )


def _of_fidelity(answer: ClassExplanation, options: ExplanationOptions) -> Iterator[ResultWarning]:
    fidelity, name = answer.press_r2, "PRESS R²"
    if fidelity is None:
        fidelity, name = answer.r2, "R²"
    if fidelity < LOW_FIDELITY:
        other = "" if options.score_scale == "logit" else ", score_scale 'logit'"
        yield ResultWarning(
            code="low-fidelity",
            severity="warning",
            class_index=answer.class_index,
            text=f"The surrogate follows the model badly ({name} {fidelity:.2f}): regions act "
            "together rather than add up.",
            cure=f"Try more segments, another baseline{other}, or read the picture as a hint only.",
        )
