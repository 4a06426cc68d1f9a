"""The search for the way of one photograph to what production answered."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, TextIO, get_args

import numpy as np

from worker.match.report import Report
from worker.match.trials import Distinct, Preparer, Scorer, Trial, tried
from worker.match.wanted import Wanted
from worker.match.ways import Photo, common_ways, ways
from worker.model_input import decode_for
from worker.serving.errors import PredictorError
from worker.serving.profile import Activation, CustomPreprocess, ModelProfile
from worker.serving.resolved import ResolvedModel, is_float

NOT_REPRODUCED: Final = 1
# How many of the other forms of preprocessing are tried with all ways, the nearest first.
FORMS_IN_FULL: Final = 2
_JPEG: Final = b"\xff\xd8\xff"


class Search:
    """Prepares and scores a photograph in all ways until one gives what is wanted.

    Parameters
    ----------
    profile : ModelProfile
    resolved : ResolvedModel
        Of that profile.
    data : bytes
        The photograph's file.
    wanted : sequence of Wanted
        What production answered.
    score : Scorer
        Scores inputs by the model.

    Raises
    ------
    worker.images.ImageError
        If the file cannot be decoded.
    """

    def __init__(
        self,
        profile: ModelProfile,
        resolved: ResolvedModel,
        data: bytes,
        wanted: Sequence[Wanted],
        *,
        score: Scorer,
    ) -> None:
        self._profile = profile
        self._resolved = resolved
        self._current = resolved.preparation
        self._wanted = wanted
        self._score = score
        self._decoded = decode_for(self._current, data)
        self._preparer = Preparer(data, resolved, self._decoded)
        self._floats = is_float(resolved.dtype)
        self._photo = Photo(
            turned=self._decoded.orientation != 1,
            has_alpha=self._decoded.has_alpha,
            is_jpeg=data.startswith(_JPEG),
        )

    def run(self, name: str, out: TextIO) -> int:
        """Search, write what was found, return the exit code.

        Raises
        ------
        worker.serving.errors.PredictorError
            If the model server does not score.
        """
        report = Report(out, resolved=self._resolved, current=self._current, wanted=self._wanted)
        report.photo(name, self._photo, self._decoded)
        tried_ways = ways(self._current, self._photo, input_size=self._resolved.input_size)
        report.trying(len(tried_ways))
        inputs = self._preparer.distinct(tried_ways, floats=self._floats)
        found = self._tried(inputs)
        if not found[0].reproduces and self._floats:
            report.trying_scoring()
            found = _nearest_first([*found, *self._otherwise_scored(inputs)])
        report.table(found)
        if not found[0].reproduces:
            report.nothing(found[0])
            return NOT_REPRODUCED
        chosen = report.verdict(
            [one for one in found if one.reproduces], self._photo, self._decoded
        )
        if chosen.pixels.dtype != np.uint8:
            report.eight_bits(self._in_eight_bits(chosen))
        return os.EX_OK

    def _tried(self, inputs: Sequence[Distinct], **changes: object) -> list[Trial]:
        return _nearest_first(tried(inputs, wanted=self._wanted, score=self._score, **changes))

    def _otherwise_scored(self, inputs: Sequence[Distinct]) -> list[Trial]:
        """Try a few ways with each other preprocessing or activation, and all with the nearest."""
        few = self._preparer.distinct(
            common_ways(self._current, self._photo, input_size=self._resolved.input_size),
            floats=True,
        )
        by_form: list[list[Trial]] = []
        for changes in _scorings(self._profile, self._resolved):
            try:
                by_form.append(self._tried(few, **changes))
            except PredictorError:
                # Not with this activation: one unit that is no probability, say.
                continue
        by_form.sort(key=lambda one: one[0].off)
        in_full = [
            trial
            for form in by_form[:FORMS_IN_FULL]
            for trial in self._tried(inputs, **dict(form[0].changes))
        ]
        return [*in_full, *(trial for form in by_form[FORMS_IN_FULL:] for trial in form)]

    def _in_eight_bits(self, trial: Trial) -> list[float]:
        """Return the wanted scores of an input as jobs perturb it: rounded."""
        (rounded,) = self._preparer.distinct(trial.ways[:1], floats=False)
        (scores,) = self._score([rounded.pixels], **dict(trial.changes))
        return [float(scores[one.index]) for one in self._wanted]


def _nearest_first(trials: Sequence[Trial]) -> list[Trial]:
    return sorted(trials, key=lambda one: one.off)


def _scorings(profile: ModelProfile, resolved: ResolvedModel) -> list[dict[str, object]]:
    """Return the other forms of preprocessing and activations, as changes of the profile."""
    forms: list[object] = ["raw", "unit", "tf"]
    if resolved.channels == 3:  # noqa: PLR2004
        forms += ["caffe", "torch"]
        # The first three with the channels as OpenCV reads them.
        forms += [
            CustomPreprocess(mean=(mean,) * 3, std=(std,) * 3, order="BGR")
            for mean, std in ((0.0, 1.0), (0.0, 255.0), (127.5, 127.5))
        ]
    found: list[dict[str, object]] = [
        {"preprocess": form} for form in forms if form != profile.preprocess
    ]
    found += [{"activation": one} for one in get_args(Activation) if one != profile.activation]
    return found
