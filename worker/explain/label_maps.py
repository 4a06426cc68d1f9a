"""A label map of the client's own, at the size at which the model sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.explain.errors import BadSegments
from worker.explain.explanation import Segments
from worker.explain.geometry import Geometry
from worker.explain.result_warning import ResultWarning

_LISTED: Final = 20
_FEWEST: Final = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelMap:
    """A label map as the model sees it, and what of it the model does not see.

    Attributes
    ----------
    labels : (h, w) int32
        The client's numbers, in the frame of the model's input.
    vanished : tuple of int
        Labels of the part that the model sees that have no pixel at its size.
    cut_off : tuple of int
        Labels that lie outside of that part altogether.
    """

    labels: Segments
    vanished: tuple[int, ...]
    cut_off: tuple[int, ...]

    @classmethod
    def at_input(cls, labels: NDArray[np.integer], geometry: Geometry) -> LabelMap:
        """Bring a label map of the upload to the model's input.

        Parameters
        ----------
        labels : (Hu, Wu) int
            Not negative.
        geometry : Geometry
            Of that upload.

        Raises
        ------
        BadSegments
            If fewer than two labels are left.
        """
        at_input = geometry.labels_to_input(labels)
        kept, seen, sent = map(_present, (at_input, geometry.seen(labels), labels))
        found = cls(
            labels=at_input,
            vanished=tuple(sorted(seen - kept)),
            cut_off=tuple(sorted(sent - seen - kept)),
        )
        if len(kept) < _FEWEST:
            why = " ".join(one.text for one in found.warnings())
            raise BadSegments(
                f"Of the label map only label {_listed(sorted(kept))} is left in what the model "
                f"sees, and an explanation compares at least {_FEWEST} segments. {why}".rstrip()
            )
        return found

    def warnings(self) -> Iterator[ResultWarning]:
        """Name the labels that are not explained, and why."""
        if self.vanished:
            height, width = self.labels.shape
            yield ResultWarning(
                code="labels-vanished",
                severity="warning",
                text=f"Too small for the {width}×{height} pixels in which the model sees the "
                f"image, and not explained: {_named(self.vanished)}.",
                cure="Make these segments larger, or give them the label of a neighbour.",
            )
        if self.cut_off:
            yield ResultWarning(
                code="labels-cut-off",
                severity="warning",
                text="Outside the part of the image that the model sees, and not explained: "
                f"{_named(self.cut_off)}.",
                cure="Send the part that matters as an image of its own.",
            )


def _present(labels: NDArray[np.integer]) -> set[int]:
    # A table is many times faster than sorting the pixels of a photograph.
    present = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.bool_)
    present[labels] = True
    return set(np.flatnonzero(present).tolist())


def _named(labels: Sequence[int]) -> str:
    return f"label{'s' if len(labels) > 1 else ''} {_listed(labels)}"


def _listed(labels: Sequence[int]) -> str:
    more = f" and {len(labels) - _LISTED} more" if len(labels) > _LISTED else ""
    return ", ".join(map(str, labels[:_LISTED])) + more
