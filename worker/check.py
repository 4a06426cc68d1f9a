"""``limelight-worker check``: do the profiles work with their model servers, and if not, why."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TextIO

from worker.serving.errors import PredictorError
from worker.serving.model import ServedModel
from worker.serving.profile import ModelProfile
from worker.serving.trial import in_own_words

TIMEOUT_S = 10.0


class Checked(Protocol):
    """A configured model that can be tried."""

    def check(self, *, timeout_s: float, in_full: bool) -> list[str]:
        """Return everything that keeps it from being explained, each with its cure."""

    def doubts(self, *, timeout_s: float) -> list[str]:
        """Return what makes one doubt that it is configured as it should be."""

    def limits(self, *, timeout_s: float) -> list[str]:
        """Return what keeps its calls small."""


def check_profiles(profiles: Mapping[str, ModelProfile]) -> int:
    """Try every profile with its model server and say what came of it; return the exit code."""
    # Whoever runs this wrote the address, and wants to see whether it is the right one.
    models = {_place_of(profile): ServedModel(profile) for profile in profiles.values()}
    return report(models, out=sys.stdout)


def _place_of(profile: ModelProfile) -> str:
    place = f"{profile.name} at {profile.address}"
    return place if profile.proxy is None else f"{place} through {profile.proxy}"


def report(models: Mapping[str, Checked], *, out: TextIO) -> int:
    """Write one line for each model that works, and each problem of those that do not.

    Returns
    -------
    int
        0 if all of them work, else ``os.EX_CONFIG``.
    """
    if not models:
        out.write("There are no models to check.\n")
        return os.EX_CONFIG
    with ThreadPoolExecutor(max_workers=min(len(models), 16)) as pool:
        found = list(pool.map(_diagnose, models.values()))
    for name, (problems, doubts) in zip(models, found, strict=True):
        out.write(f"{name}: {'cannot be explained' if problems else 'ok'}\n")
        out.writelines(f"  {problem}\n" for problem in problems)
        out.writelines(f"  warning: {doubt}\n" for doubt in doubts)
    return os.EX_CONFIG if any(problems for problems, _ in found) else 0


def _diagnose(model: Checked) -> tuple[list[str], list[str]]:
    # Whoever runs this may read what the server says.
    problems = model.check(timeout_s=TIMEOUT_S, in_full=True)
    if problems:
        return problems, []
    try:
        return [], [*model.doubts(timeout_s=TIMEOUT_S), *model.limits(timeout_s=TIMEOUT_S)]
    except PredictorError as error:
        # It worked a moment ago.
        return in_own_words([error.detail], error), []
