"""What ``limelight-worker match`` writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TextIO

from worker.images import Decoded
from worker.match.trials import Trial
from worker.match.wanted import Wanted
from worker.match.ways import Photo, lines
from worker.serving.preparation import Preparation
from worker.serving.profile import CustomPreprocess
from worker.serving.resolved import ResolvedModel

ROWS: Final = 8
SHOWN_CLASSES: Final = 3
# Below this ratio of sides or of sizes, ways that differ in principle look alike.
TELLING_ASPECT: Final = 1.2
TELLING_SCALE: Final = 3


class Report:
    """Writes the course and the outcome of a search."""

    def __init__(
        self,
        out: TextIO,
        *,
        resolved: ResolvedModel,
        current: Preparation,
        wanted: Sequence[Wanted],
    ) -> None:
        self._out = out
        self._resolved = resolved
        self._current = current
        self._wanted = wanted

    def photo(self, name: str, photo: Photo, decoded: Decoded) -> None:
        """Say what the photograph is, and what is looked for."""
        facts = [f"{decoded.width} × {decoded.height} pixels"]
        if photo.turned:
            facts.append(f"EXIF orientation {decoded.orientation}")
        if photo.has_alpha:
            facts.append("transparency")
        height, width = self._resolved.input_size
        self._say(f"{name}: {', '.join(facts)}")
        self._say(
            f"{self._resolved.name}, version {self._resolved.version}: takes "
            f"{width} × {height} pixels"
        )
        wanted = ", ".join(f"{one.name} {one.score:.4g}" for one in self._wanted[:SHOWN_CLASSES])
        self._say(f"production: {wanted}")

    def trying(self, ways: int) -> None:
        """Say how much is tried, before the first answer."""
        self._say(f"{ways} ways to prepare it are tried, a minute or two for a large photo")

    def trying_scoring(self) -> None:
        """Say that preprocessing is tried, too."""
        self._say("none gives production's scores: other preprocess and activation are tried")

    def table(self, found: Sequence[Trial]) -> None:
        """Write the nearest trials, and that of the profile as it is."""
        shown = list(found[:ROWS])
        (current,) = (one for one in found if self._current in one.ways and not one.changes)
        if current not in shown:
            shown.append(current)
        names = [one.name for one in self._wanted[:SHOWN_CLASSES]]
        self._say("\n  " + "  ".join(f"{name[:18]:>8}" for name in names) + "  profile")
        for one in shown:
            scores = "  ".join(
                f"{float(one.scores[wanted.index]):{max(len(name[:18]), 8)}.4f}"
                for name, wanted in zip(names, self._wanted, strict=False)
            )
            mark = "*" if one.reproduces else " "
            self._say(f"{mark} {scores}  {self._told(one, current)}")
        self._say("* within the tolerance\n" if found[0].reproduces else "")

    def _told(self, trial: Trial, current: Trial) -> str:
        more = len(trial.ways) - 1
        same = f"   (and {more} more with the same pixels)" if more else ""
        if trial is current:
            return f"as it is{same}"
        return f"{', '.join(self._lines(trial)) or 'defaults'}{same}"

    def verdict(self, found: Sequence[Trial], photo: Photo, decoded: Decoded) -> Trial:
        """Write the lines for the profile, and what this photograph cannot tell.

        Returns
        -------
        Trial
            That of those lines, or of the profile as it is where it reproduces production.
        """
        as_it_is = [one for one in found if self._current in one.ways and not one.changes]
        if as_it_is:
            self._say(f"[models.{self._resolved.name}] reproduces production as it is.")
        else:
            self._say(f"Write into [models.{self._resolved.name}], in place of such keys there:\n")
            for line in self._lines(found[0]) or ["# nothing: remove them, the defaults are right"]:
                self._say(f"    {line}")
            self._say("")
        chosen = as_it_is[0] if as_it_is else found[0]
        if len(self._wanted) == 1 and not as_it_is:
            self._say("One score may be met by chance: a second class (--score, again) makes sure.")
        for sentence in _untold(found, chosen, photo, decoded, self._resolved):
            self._say(sentence)
        return chosen

    def eight_bits(self, scores: Sequence[float]) -> None:
        """Say what jobs score, where that is not what production does."""
        pairs = list(zip(self._wanted, scores, strict=True))
        if any(abs(score - one.score) > one.tolerance for one, score in pairs):
            told = ", ".join(f"{one.name} {score:.4g}" for one, score in pairs[:SHOWN_CLASSES])
            self._say(
                f"Perturbed images have 8 bits, where production leaves floats: jobs will say "
                f"{told}. The model reacts to less than one level of 256 here."
            )

    def nothing(self, nearest: Trial) -> None:
        """Say that nothing reproduces the scores, and what else may differ."""
        self._say(
            "No way that is known here reproduces it. The nearest would be: "
            f"{', '.join(self._lines(nearest)) or 'the defaults'}.\n"
            "What else may differ: the model's version or signature, the file that production got "
            "(compressed or scaled on the way, say), a crop of its own, a mean and std of its own "
            "(preprocess = { mean = […], std = […] }), or the class that the score is of."
        )

    def _lines(self, trial: Trial) -> list[str]:
        encoded = self._resolved.dtype == "string"
        return [
            *lines(trial.ways[0], encoded=encoded),
            *(f"{key} = {_scoring(value)}" for key, value in trial.changes),
        ]

    def _say(self, line: str) -> None:
        self._out.write(f"{line}\n")
        self._out.flush()


def _scoring(value: object) -> str:
    if isinstance(value, CustomPreprocess):
        return f'{{ mean = {list(value.mean)}, std = {list(value.std)}, order = "{value.order}" }}'
    return f'"{value}"'


def _untold(
    found: Sequence[Trial],
    chosen: Trial,
    photo: Photo,
    decoded: Decoded,
    resolved: ResolvedModel,
) -> Iterator[str]:
    """Say what the photograph cannot tell, and which one could."""
    alternatives = [way for one in found for way in one.ways if way != chosen.ways[0]]
    keys = {
        key
        for way in alternatives
        for key, value in vars(way).items()
        if value != getattr(chosen.ways[0], key)
    }
    others = len(found) - 1
    if others:
        yield (
            f"{others} other input{'s' if others > 1 else ''} reproduce{'' if others > 1 else 's'} "
            "it, too: more of production's scores (--score, again) or another photo decide."
        )
    missing = list(_missing(keys, photo, decoded, resolved))
    if missing:
        yield "What this photo cannot tell, and which could:"
        yield from (f"    {one}" for one in missing)


def _missing(
    keys: set[str], photo: Photo, decoded: Decoded, resolved: ResolvedModel
) -> Iterator[str]:
    shorter, longer = sorted((decoded.width, decoded.height))
    if "resize" in keys and longer < TELLING_ASPECT * shorter:
        yield "resize: one that is far from square"
    if {"interpolation", "antialias", "library"} & keys:
        small = shorter < TELLING_SCALE * min(resolved.input_size)
        which = "several times larger than the input" if small else "with finer detail"
        yield f"resize_library, interpolation, antialias: one {which}"
    if not photo.turned:
        yield "exif: one that was taken with the camera turned"
    if not photo.has_alpha:
        yield "alpha: a PNG or WebP with transparent pixels"
    if not photo.is_jpeg:
        yield "jpeg_dct: a JPEG"
