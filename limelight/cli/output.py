"""What the command prints: tables for people, or one JSON object a line for programs.

Results go to standard output; progress, notes and errors to standard error.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from limelight.errors import Refused
from limelight.models import Explanation, Job
from limelight.problems import Problem

# A pipe or a file has no width of its own; 80 columns would cut ids and paths in two.
_WIDTH_OF_A_PIPE = 200
_REPLACED = "\N{REPLACEMENT CHARACTER}"


class Output:
    """Standard output and standard error in one of two forms.

    Parameters
    ----------
    is_json : bool
    """

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json
        self.errors = Console(stderr=True, highlight=False, soft_wrap=True)

    def document(self, document: Any) -> None:
        """Print a result as one line of JSON."""
        click.echo(json.dumps(document, separators=(",", ":")))

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table; a head that begins with ``>`` is of numbers."""
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=_WIDTH_OF_A_PIPE)
        table = Table(box=None, pad_edge=False, header_style="bold")
        for head in heads:
            justify: Any = "right" if head.startswith(">") else "left"
            table.add_column(head.removeprefix(">"), justify=justify, overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        console.print(table)

    def note(self, text: str) -> None:
        """Say something to whoever is watching; programs do not get it."""
        if not self.is_json:
            self.errors.print(Text(printable(text)))

    def warnings(self, job: Job, *, about: str = "") -> None:
        """Say what speaks against a job's answers, to people; programs have it in the job.

        Parameters
        ----------
        job : Job
        about : str
            What to call the job, where there are several.
        """
        names = {item.class_index: class_name(item) for item in job.explanations}
        for one in job.warnings:
            of = [about, names.get(one.class_index, "") if one.class_index is not None else ""]
            whose = ", ".join(name for name in of if name)
            head = f"{one.severity}{f', {whose}' if whose else ''}: "
            self.note(f"{head}{one.text} {one.cure}".rstrip())

    def error(self, text: str, *, problem: Problem | None = None, code: int) -> None:
        """Say what went wrong."""
        if self.is_json:
            document = {"message": text, "exit_code": code, "problem": problem and problem.raw}
            click.echo(json.dumps({"error": document}, separators=(",", ":")), err=True)
        else:
            self.errors.print(Text("Error: ", style="bold red").append(printable(text), "default"))


def printable(text: str) -> str:
    """Text without what a terminal would obey: names come from other people."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else _REPLACED for letter in text
    )


def problem_of(error: Exception) -> Problem | None:
    """Problem document that an error carries."""
    if isinstance(error, Refused):
        return error.problem
    found = getattr(error, "problem", None)
    return found if isinstance(found, Problem) else None


def class_name(item: Explanation) -> str:
    """Write a class as the model calls it, with its index."""
    return f"{item.class_name or 'class'} ({item.class_index})"


def figure(value: float | None, places: int = 3) -> str:
    """Write a number, or a dash for one that was not computed."""
    return "-" if value is None else f"{value:.{places}f}"


def duration(job: Job) -> str:
    """Seconds from a job's acceptance to its end."""
    if job.created_at is None or job.finished_at is None:
        return "-"
    return f"{(job.finished_at - job.created_at).total_seconds():.1f} s"


def progress(job: Job) -> str:
    """Write how far a job is."""
    if job.is_terminal or not job.progress.samples_limit:
        return job.progress.stage
    return f"{job.progress.stage} {job.progress.samples_done}/{job.progress.samples_limit}"
