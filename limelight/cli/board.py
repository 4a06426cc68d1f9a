"""Progress of a run over many images, live on standard error."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed

from limelight.cli.batch import Outcome
from limelight.cli.output import Output, printable
from limelight.models import Job

_LONGEST_NAME = 28


class Board:
    """A bar for the run, and one for each image that is being worked on.

    Where standard error is no terminal, it only counts.

    Parameters
    ----------
    total : int
        Images of the run.
    output : Output

    Attributes
    ----------
    outcomes : list of Outcome
        Of the images done with so far.
    accepted : int
        Jobs that the service works on.
    """

    def __init__(self, total: int, *, output: Output) -> None:
        self.outcomes: list[Outcome] = []
        self._output = output
        self._accepted: set[Path] = set()
        self._bars: dict[Path, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[stage]}", markup=False),
            Elapsed(),
            console=output.errors,
            transient=True,
            disable=output.is_json or not output.errors.is_terminal,
        )
        self._all = self._progress.add_task("images", total=total, stage="")

    @property
    def accepted(self) -> int:
        """How many jobs the service is at work on."""
        return len(self._accepted)

    def __enter__(self) -> Self:
        """Show it."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take it away."""
        self._progress.stop()

    def began(self, image: Path) -> None:
        """Show a bar for an image."""
        name = printable(image.name)
        shown = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}\u2026"
        self._bars[image] = self._progress.add_task(shown, total=None, stage="sending")

    def moved(self, image: Path, job: Job) -> None:
        """Move an image's bar."""
        self._accepted.add(image)
        self._progress.update(
            self._bars[image],
            completed=job.progress.samples_done,
            total=job.progress.samples_limit or None,
            stage=printable(job.progress.stage),
        )

    def ended(self, outcome: Outcome) -> None:
        """Remove an image's bar, and count it."""
        self._accepted.discard(outcome.image)
        self.outcomes.append(outcome)
        self._progress.remove_task(self._bars.pop(outcome.image))
        self._progress.advance(self._all)
        if self._output.is_json:
            self._output.document(outcome_document(outcome))


def outcome_document(outcome: Outcome) -> dict[str, object]:
    """Show what became of an image to a program."""
    job, error = outcome.job, outcome.error
    status = "refused" if job is None else job.status
    problem = getattr(error, "problem", None)
    return {
        "image": str(outcome.image),
        "status": status,
        "was_done": outcome.was_done,
        "folder": str(outcome.folder) if status == "succeeded" else None,
        "job": None if job is None else job.id,
        "classes": [
            {
                "class_index": item.class_index,
                "class_name": item.class_name,
                "score": item.score,
                "fidelity": {"r2": item.fidelity.r2, "press_r2": item.fidelity.press_r2},
                "settled": item.settled,
                "trust": item.trust.level,
            }
            for item in (() if job is None else job.explanations)
        ],
        "warnings": [] if job is None else [asdict(one) for one in job.warnings],
        "error": None
        if error is None
        else {"message": str(error), "problem": problem and problem.raw},
    }
