"""Try the ways in which production may prepare a photograph, and say which gives its answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, TextIO

import numpy as np

from worker.images import ImageError
from worker.match.search import Search
from worker.match.served import ServedScorer
from worker.match.wanted import BadScore, Wanted, read_wanted
from worker.model_input import decode_for
from worker.serving.errors import PredictorError
from worker.serving.inputs import as_uploaded
from worker.serving.model import ServedModel
from worker.serving.profile import ModelProfile
from worker.serving.resolved import ResolvedModel

TIMEOUT_S: Final = 30.0
STDIN: Final = "-"
# What the graph of a model of encoded pictures leaves in floats has 8 bits here.
ROUNDING: Final = 0.005


def match(
    profiles: Mapping[str, ModelProfile],
    *,
    model: str,
    photo: Path,
    scores: Sequence[str],
    tolerance: float | None = None,
    out: TextIO | None = None,
) -> int:
    """Write what a model's profile has to say for a photograph to score as in production.

    Parameters
    ----------
    photo : Path
        The file that production got; ``-`` is standard input.
    scores : sequence of str
        What production answered, as ``"espresso=0.561"``. A model that takes encoded pictures is
        asked itself where this is empty.
    tolerance : float, optional
        How far a score may be off; half a unit of its last digit and 0.002 if None.
    out : TextIO, optional
        Where it is written; standard output if None.

    Returns
    -------
    int
        0 if a way reproduces the scores, 1 if none does, else one of ``os.EX_``.
    """
    out = sys.stdout if out is None else out
    if model not in profiles:
        names = ", ".join(profiles)
        out.write(f"There is no model {model!r} in the models file. It has {names}.\n")
        return os.EX_USAGE
    try:
        data = sys.stdin.buffer.read() if str(photo) == STDIN else photo.read_bytes()
    except OSError as error:
        out.write(f"{photo} cannot be read: {error.strerror}.\n")
        return os.EX_NOINPUT
    served = ServedModel(profiles[model])
    with closing(served):
        try:
            resolved = served.resolve(None, timeout_s=TIMEOUT_S)
            wanted = _wanted(served, resolved, data, scores, tolerance)
            score = ServedScorer(profiles[model], resolved)
            search = Search(profiles[model], resolved, data, wanted, score=score)
            return search.run(photo.name, out)
        except (BadScore, ImageError) as error:
            out.write(f"{error}\n")
            return os.EX_USAGE if isinstance(error, BadScore) else os.EX_DATAERR
        except PredictorError as error:
            out.write(f"{error.detail}\n`limelight-worker check` says more.\n")
            return os.EX_UNAVAILABLE


def _wanted(
    served: ServedModel,
    resolved: ResolvedModel,
    data: bytes,
    scores: Sequence[str],
    tolerance: float | None,
) -> list[Wanted]:
    """Return what production answers."""
    if scores:
        found = [
            read_wanted(one, labels=resolved.labels, class_count=resolved.class_count)
            for one in scores
        ]
    elif resolved.dtype == "string":
        # Only to be refused here if it is no picture.
        decode_for(resolved.preparation, data)
        ask = served.predictor(resolved, deadline_s=TIMEOUT_S, encode=as_uploaded(data))
        one = np.zeros((1, *resolved.input_size, resolved.channels), np.uint8)
        (answer,) = np.concatenate(list(ask([one])))
        labels = resolved.labels or tuple(f"class {index}" for index in range(len(answer)))
        found = [
            Wanted(index, labels[index], float(score), ROUNDING)
            for index, score in enumerate(answer)
        ]
        found.sort(key=lambda one: -one.score)
    else:
        raise BadScore(
            "What did production answer for this photo? Add --score CLASS=SCORE, for example "
            '--score "espresso=0.561".'
        )
    if tolerance is None:
        return found
    return [Wanted(one.index, one.name, one.score, tolerance) for one in found]
