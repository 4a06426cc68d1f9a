"""What a finished explanation leaves behind: the job's result, and the arrays to compute with.

Everything a client sees is in pixels of the upload, so areas and boxes are taken from the segments
as they lie on the upload.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.explain.explanation import ClassExplanation, Explanation
from worker.explain.result_warning import ResultWarning
from worker.serving.resolved import ResolvedModel

UNSEEN = 65_535
TOP_SEGMENTS = 10


@dataclass(frozen=True, kw_only=True)
class UploadSegments:
    """Where the segments lie on the upload.

    Attributes
    ----------
    labels : int32 array (Hu, Wu)
        -1 where the model does not see the upload.
    areas : float64 array (S,)
        Share of the upload's pixels.
    boxes : tuple of S (x0, y0, x1, y1) or None
        In pixels, the end exclusive; None for a segment without pixels.
    numbers : tuple of S int
        What the reader calls the segments.
    """

    labels: NDArray[np.int32]
    areas: NDArray[np.float64]
    boxes: tuple[tuple[int, int, int, int] | None, ...]
    numbers: tuple[int, ...]

    @classmethod
    def measure(cls, labels: NDArray[np.int32], *, numbers: tuple[int, ...]) -> UploadSegments:
        """Measure the segments that have these numbers."""
        count = len(numbers)
        # scipy is scikit-image's and slow to import: only a process that explains pays for it.
        from scipy import ndimage  # noqa: PLC0415

        numbered = labels + 1
        pixels = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
        slices = ndimage.find_objects(numbered, max_label=count)
        return cls(
            labels=labels,
            areas=pixels / labels.size,
            boxes=tuple(
                None if at is None else (at[1].start, at[0].start, at[1].stop, at[0].stop)
                for at in slices
            ),
            numbers=numbers,
        )

    def png(self) -> bytes:
        """Return the segments' numbers as a 16-bit PNG, ``UNSEEN`` where the model does not see.

        Raises
        ------
        ValueError
            If a number does not fit into 16 bits.
        """
        highest = max(self.numbers)
        if highest >= UNSEEN:
            raise ValueError(f"segment {highest} does not fit into a 16-bit label map")
        # The label -1, of what is not seen, takes the last.
        values = np.array([*self.numbers, UNSEEN], dtype=np.uint16)[self.labels]
        buffer = io.BytesIO()
        # Flat areas compress well at once; a higher level takes ten times longer for little.
        Image.fromarray(values).save(buffer, "PNG", compress_level=3)
        return buffer.getvalue()


def class_name(model: ResolvedModel, class_index: int) -> str | None:
    """Return the model's name of a class, None when it has no labels."""
    return None if model.labels is None else model.labels[class_index]


def attributions_json(
    explanation: Explanation,
    *,
    model: ResolvedModel,
    on_upload: UploadSegments,
) -> bytes:
    """Return every attribution of every explained class as JSON text in UTF-8.

    The same explanation gives the same bytes.
    """
    height, width = on_upload.labels.shape
    document = {
        "width": width,
        "height": height,
        "segments": _segments(explanation, on_upload),
        "segment_numbers": list(on_upload.numbers),
        "areas": on_upload.areas.tolist(),
        "classes": [
            {
                **_class(one.class_index, model),
                "score": float(one.score),
                "score_kind": explanation.score_kind,
                "score_scale": explanation.score_scale,
                "intercept": float(one.intercept),
                "attributions": one.attributions.tolist(),
                "standard_errors": _listed(one.standard_errors),
                "sign_confidence": _listed(one.sign_confidence),
            }
            for one in explanation.classes
        ],
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def result_json(
    explanation: Explanation,
    *,
    model: ResolvedModel,
    on_upload: UploadSegments,
    options: Mapping[str, Any],
    overlays: Mapping[int, Mapping[str, str]],
    model_calls: int,
    timings: Mapping[str, float],
    warnings: Sequence[ResultWarning],
    libraries: Mapping[str, str],
    fence: int,
) -> dict[str, Any]:
    """Return the result that the job record keeps, in JSON values.

    Parameters
    ----------
    overlays : mapping
        Per class index: style to format of each picture that was stored.
    timings : mapping of str to float
        Seconds that ``explanation`` does not know: ``queued_s``, ``draw_s``.
    warnings : sequence of ResultWarning
        Those that ``explanation`` does not know.
    fence : int
        Under which the artifacts are stored.
    """
    return {
        "model": {"name": model.name, "version": model.version, "signature": model.signature},
        "predictions": [
            {**_class(one.class_index, model), "score": float(one.score)}
            for one in explanation.predictions
        ],
        "hidden_score": {
            str(one.class_index): float(one.hidden_score) for one in explanation.classes
        },
        "explanations": [
            {
                **_class(one.class_index, model),
                **_figures(one),
                "score_kind": explanation.score_kind,
                "score_scale": explanation.score_scale,
                "trust": {
                    "level": trust.level,
                    "reasons": [asdict(reason) for reason in trust.reasons],
                },
                "top_segments": _top_segments(one, on_upload),
                "overlays": dict(overlays.get(one.class_index, {})),
            }
            for one, trust in zip(explanation.classes, explanation.trust, strict=True)
        ],
        "samples": {**_samples(explanation), "model_calls": model_calls},
        "segments": _segments(explanation, on_upload),
        "options": dict(options),
        "timings": {
            name: round(float(seconds), 6)
            for name, seconds in {**explanation.timings, **timings}.items()
        },
        "warnings": [asdict(one) for one in (*explanation.warnings, *warnings)],
        "libraries": dict(libraries),
        "fence": fence,
    }


def _class(class_index: int, model: ResolvedModel) -> dict[str, Any]:
    return {"class_index": class_index, "class_name": class_name(model, class_index)}


def _samples(explanation: Explanation) -> dict[str, Any]:
    return {
        "used": explanation.samples_used,
        "limit": explanation.samples_limit,
        "stopped_by": explanation.stopped_by,
        "sampler": explanation.sampler,
        "seed": explanation.seed,
        "images_scored": explanation.images_scored,
    }


def _figures(one: ClassExplanation) -> dict[str, Any]:
    return {
        "score": float(one.score),
        "intercept": float(one.intercept),
        "surrogate_score": float(one.surrogate_score),
        "fidelity": {"r2": _number(one.r2), "press_r2": _number(one.press_r2)},
        "relative_error": _number(one.relative_error),
        "settled": one.settled,
        "certified": one.certified,
        "stability": {"jaccard_at_5": _number(one.jaccard_at_5)},
        "control_variates": one.control_variates,
        "insertion_deletion": None
        if one.insertion_deletion is None
        else dict(one.insertion_deletion),
    }


def _top_segments(one: ClassExplanation, on_upload: UploadSegments) -> list[dict[str, Any]]:
    # Stable, so that equal attributions come in the order of their segments on any machine.
    strongest = np.argsort(-np.abs(one.attributions), kind="stable")[:TOP_SEGMENTS]
    return [
        {
            "segment": on_upload.numbers[segment],
            "attribution": float(one.attributions[segment]),
            "standard_error": _at(one.standard_errors, segment),
            "sign_confidence": _at(one.sign_confidence, segment),
            "area": float(on_upload.areas[segment]),
            "bbox": None if (box := on_upload.boxes[segment]) is None else list(box),
        }
        for segment in strongest.tolist()
    ]


def _segments(explanation: Explanation, on_upload: UploadSegments) -> dict[str, Any]:
    return {"count": len(on_upload.boxes), "sha256": explanation.segments_sha256}


def _listed(values: NDArray[np.float64] | None) -> list[float] | None:
    return None if values is None else values.tolist()


def _at(values: NDArray[np.float64] | None, index: int) -> float | None:
    return None if values is None else float(values[index])


def _number(value: float | None) -> float | None:
    # A model that always gives the same score leaves R² undefined; JSON has no word for NaN.
    return float(value) if value is not None and math.isfinite(value) else None
