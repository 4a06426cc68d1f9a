"""``limelight explain``: many images, and a table of what the model saw in them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from limelight.cli import exits
from limelight.cli.batch import Batch, Outcome
from limelight.cli.board import Board
from limelight.cli.output import class_name, duration, figure
from limelight.cli.session import Session, connected
from limelight.cli.state import RunState

DEFAULT_OUT = Path("limelight-output")
PARALLEL = 8
# A full queue empties while we wait; many images are worth some patience.
RETRY_FOR_S = 60.0
_HEADS = ("image", "class", ">score", ">fidelity", "trust", ">took", "result")


def _assignments(
    _context: click.Context, _option: click.Parameter, texts: Sequence[str]
) -> list[tuple[str, str]]:
    """Split each ``NAME=VALUE`` at its first equals sign."""
    pairs = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{text!r} has not the form NAME=VALUE, such as samples=500.")
        pairs.append((name, value))
    return pairs


@click.command()
@click.argument(
    "images",
    nargs=-1,
    required=True,
    metavar="IMAGE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--model", help="Which model to explain; else the service's own choice.")
@click.option("--version", "model_version", type=click.IntRange(min=1), help="Of the model.")
@click.option("--classes", help="How many of the top classes, or indices or names: 285,espresso")
@click.option("--preset", help="A named set of options, such as lime.")
@click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    callback=_assignments,
    metavar="NAME=VALUE",
    help="Such as samples=500.",
)
@click.option("--overlays", help="Pictures to draw: signed,heatmap,sheet")
@click.option("--queue", type=click.Choice(["interactive", "bulk"]), help="Where to wait.")
@click.option(
    "--metadata",
    multiple=True,
    callback=_assignments,
    metavar="NAME=VALUE",
    help="Comes back with the job.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_OUT,
    show_default=True,
    help="Folder of the results: one folder for each image.",
)
@click.option(
    "--parallel",
    type=click.IntRange(1, 64),
    default=PARALLEL,
    show_default=True,
    help="How many jobs to have in the service at once.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Longest wait for one job.",
)
@click.option("--again", is_flag=True, help="Also explain what an earlier run has done.")
@connected(retry_for_s=RETRY_FOR_S)
def explain(
    *,
    session: Session,
    images: tuple[Path, ...],
    out: Path,
    parallel: int,
    timeout_s: float | None,
    again: bool,
    **question: Any,
) -> int:
    """Explain images, and write pictures and figures into a folder for each.

    Stopped with Ctrl-C, the same command goes on where it was: images that are done are skipped,
    and jobs that the service has accepted are not submitted again.
    """
    # By name, so that one image given twice is one.
    distinct = list({image.absolute(): image for image in images}.values())
    board = Board(len(distinct), output=session.output)
    with RunState(out) as state:
        try:
            outcomes = asyncio.run(
                _run(
                    session,
                    distinct,
                    board,
                    state=state,
                    out=out,
                    form=form_fields(**question),
                    parallel=parallel,
                    timeout_s=timeout_s,
                    again=again,
                )
            )
        except BaseException:
            _say_what_is_left(session, board, total=len(distinct))
            raise
    if not session.output.is_json:
        session.output.table(_HEADS, (row for item in outcomes for row in _rows(item)))
        for item in outcomes:
            if item.job is not None and item.error is None:
                session.output.warnings(item.job, about=item.image.name)
    return _code(outcomes)


def form_fields(
    *,
    model: str | None,
    model_version: int | None,
    classes: str | None,
    preset: str | None,
    options: Sequence[tuple[str, str]],
    overlays: str | None,
    queue: str | None,
    metadata: Sequence[tuple[str, str]],
) -> dict[str, str]:
    """Make form fields, which the service reads by their types, of the command's options."""
    named = {
        "model": model,
        "version": None if model_version is None else str(model_version),
        "classes": classes,
        "preset": preset,
        "overlays": overlays,
        "queue": queue,
    }
    return {
        **{name: text for name, text in named.items() if text is not None},
        **{f"options.{name}": text for name, text in options},
        **{f"metadata.{name}": text for name, text in metadata},
    }


async def _run(
    session: Session, images: Sequence[Path], board: Board, **settings: Any
) -> list[Outcome]:
    with board:
        async with session.async_client() as client:
            return await Batch(client=client, watcher=board, **settings).run(images)


def _say_what_is_left(session: Session, board: Board, *, total: int) -> None:
    if not (board.outcomes or board.accepted):
        # It failed before anything had begun, and the error says why.
        return
    session.output.note(
        f"{len(board.outcomes)} of {total} images are done with; the service goes on with "
        f"{board.accepted}. The same command takes up what is left."
    )


def _rows(outcome: Outcome) -> Iterator[tuple[str, ...]]:
    name = outcome.image.name
    if outcome.error is not None:
        yield name, "", "", "", "", "", str(outcome.error)
    elif outcome.job is not None:
        for item in outcome.job.explanations:
            yield (
                name,
                class_name(item),
                figure(item.score),
                figure(item.fidelity.press_r2, 2),
                item.trust.level or "-",
                duration(outcome.job),
                f"{outcome.folder} (done before)" if outcome.was_done else str(outcome.folder),
            )


def _code(outcomes: Sequence[Outcome]) -> int:
    """Of several failures, the one with the lowest code counts."""
    codes = [exits.code_of(item.error) for item in outcomes if item.error is not None]
    return min(codes, default=exits.OK)
