"""Caveats: what speaks against a result, as data, with what to change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from worker.explain.assessment import Assessment
from worker.explain.class_caveats import MORE_SAMPLES, Context, of_class
from worker.explain.explanation import ClassExplanation
from worker.explain.findings import Ends
from worker.explain.options import ExplanationOptions, ScoreKind
from worker.explain.perturb import Hiding
from worker.explain.result_warning import ResultWarning
from worker.explain.samplers import block_size

MOST_OF_THE_IMAGE = 0.5


def caveats(
    answers: Sequence[ClassExplanation],
    assessment: Assessment,
    hiding: Hiding,
    ends: Ends,
    kind: ScoreKind,
    options: ExplanationOptions,
) -> Iterator[ResultWarning]:
    """Tell each thing that speaks against an answer.

    Parameters
    ----------
    answers : sequence of C ClassExplanation
    assessment : Assessment
        The last one, with C verdicts.
    hiding : Hiding
    ends : Ends
    kind : str
        What the scores are.
    options : ExplanationOptions
    """
    context = Context(assessment=assessment, hiding=hiding, ends=ends, kind=kind, options=options)
    yield from _of_model(ends)
    yield from _of_kind(context)
    yield from _of_segments(hiding)
    yield from _of_samples(assessment, options)
    for answer, verdict in zip(answers, assessment.verdicts, strict=True):
        yield from of_class(answer, verdict, context)


def _of_model(ends: Ends) -> Iterator[ResultWarning]:
    if ends.varies == "batch":
        yield ResultWarning(
            code="output-depends-on-batch",
            severity="critical",
            text="The model's scores of an image depend on the others in its batch: scored among "
            f"others, those of the untouched image differed by {ends.difference:.0%} of the "
            "largest.",
            cure="Export the model for inference, so that nothing is computed over the batch axis "
            "(a softmax over the wrong axis, a batch normalisation in training mode). Where its "
            "scores of a single image are right, max_batch_size = 1 in its profile will do.",
        )
    elif ends.varies == "chance":
        yield ResultWarning(
            code="output-not-repeatable",
            severity="warning",
            text="The model gives the same image other scores each time: those of the untouched "
            f"image differed by {ends.difference:.0%} of the largest.",
            cure="Export the model for inference, without dropout and other randomness.",
        )


def _of_kind(context: Context) -> Iterator[ResultWarning]:
    if context.kind == "score" and not context.bounded:
        low, high = context.range
        yield ResultWarning(
            code="score-unbounded",
            severity="info",
            text=f"The model's scores of this image lie between {low:.3g} and {high:.3g}, so they "
            "are no probabilities; attributions are in units of these scores.",
            cure="If they are logits, set activation = 'softmax' in the model's profile, or "
            "'sigmoid' where several classes may be true at once.",
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
            cure=MORE_SAMPLES,
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
