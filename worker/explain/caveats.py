"""Caveats: what speaks against an answer, in words, with what to change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from worker.explain import figures
from worker.explain.assessment import Assessment, Verdict
from worker.explain.explanation import ClassExplanation, Floats
from worker.explain.options import ExplanationOptions
from worker.explain.perturb import Hiding
from worker.explain.samplers import block_size

# On photographs 0.4 to 0.6 is common, and a warning that comes with every answer warns of nothing.
LOW_FIDELITY = 0.3
NEAR_ZERO = 0.01
MOST_OF_THE_IMAGE = 0.5
NOISY = 0.3


def caveats(
    answers: Sequence[ClassExplanation],
    assessment: Assessment,
    hiding: Hiding,
    scores: Floats,
    options: ExplanationOptions,
) -> Iterator[str]:
    """Tell each thing that speaks against an answer, a sentence or two each.

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
            yield (
                f"Hiding segments did not change the score of class {answer.class_index}: it does "
                f"not depend on what the baseline hides. Try another baseline or another class."
            )


def _of_segments(hiding: Hiding) -> Iterator[str]:
    largest = hiding.areas.argmax()
    share = hiding.areas[largest]
    if share > MOST_OF_THE_IMAGE:
        yield (
            f"Segment {largest} covers {share:.0%} of the image, so most of it is told "
            f"apart from nothing. Ask for more segments, or for a segmentation that cuts evenly: "
            f"'slic' or 'grid'."
        )


def _of_samples(assessment: Assessment, options: ExplanationOptions) -> Iterator[str]:
    used, segments = assessment.evidence.samples.shape
    if used < segments + 2:
        yield (
            f"{used} samples cannot tell {segments} segments apart: the surrogate has "
            f"{segments + 1} unknowns. Raise samples to {2 * segments} at least, or ask for fewer "
            f"segments."
        )
    elif used < 2 * segments:
        yield (
            f"{used} samples for {segments} segments are fewer than two for each. Raise samples, "
            f"or ask for fewer segments."
        )
    elif assessment.evidence.independent == 1 and options.stopping != "fixed":
        least = 2 * block_size(segments)
        yield (
            f"A limit of {options.samples} samples leaves no room for two blocks, without which "
            f"nothing is called settled. Raise samples to {least}, or ask for fewer segments."
        )


def _of_score(answer: ClassExplanation) -> Iterator[str]:
    if answer.score < NEAR_ZERO:
        yield (
            f"Class {answer.class_index}: the model gives it a score of {answer.score:.2g}, so the "
            f"attributions are shares of next to nothing. Explain a class with a higher score, or "
            f"use score_scale 'logit'."
        )


def _of_verdict(
    answer: ClassExplanation,
    verdict: Verdict,
    assessment: Assessment,
    options: ExplanationOptions,
) -> Iterator[str]:
    if verdict.fit.unstable:
        yield (
            f"Class {answer.class_index}: the Bayesian ridge ended with a penalty below zero, "
            f"so its attributions mean little. Raise samples, or use surrogate 'ridge'."
        )
    elif answer.settled is None and options.stopping != "fixed":
        yield (
            f"Class {answer.class_index}: this surrogate has no standard errors, so it could not "
            f"be told whether the answer was {options.stopping} before the limit. Use surrogate "
            f"'ridge' without feature selection."
        )
    elif answer.settled is False and verdict.has_blocks:
        yield (
            f"Class {answer.class_index}: the top segments were not settled after "
            f"{len(assessment.evidence.samples)} samples. Raise samples, or ask for fewer segments."
        )
    elif options.stopping == "certified" and not answer.certified and verdict.has_blocks:
        yield (
            f"Class {answer.class_index}: the top segments are settled but not certified after "
            f"{len(assessment.evidence.samples)} samples. Raise samples, or ask for fewer segments."
        )
    elif answer.relative_error is not None and answer.relative_error > NOISY:
        yield (
            f"Class {answer.class_index}: of all attributions together {answer.relative_error:.0%} "
            f"may be due to chance. Raise samples, or ask for fewer segments."
        )


def _of_fidelity(answer: ClassExplanation, options: ExplanationOptions) -> Iterator[str]:
    fidelity, name = answer.press_r2, "PRESS R²"
    if fidelity is None:
        fidelity, name = answer.r2, "R²"
    if fidelity < LOW_FIDELITY:
        other = "" if options.score_scale == "logit" else ", score_scale 'logit'"
        yield (
            f"Class {answer.class_index}: the surrogate follows the model badly ({name} "
            f"{fidelity:.2f}): regions act together rather than add up. Try more segments, "
            f"another baseline{other}, or read the picture as a hint only."
        )
