"""``limelight models``: what can be explained."""

from __future__ import annotations

from collections.abc import Sequence

import click

from limelight.cli import exits
from limelight.cli.session import Session, connected
from limelight.models import Model

_HEADS = ("name", "state", ">version", ">input", ">classes", "problem")


@click.group(invoke_without_command=True)
@connected()
def models(*, session: Session) -> None:
    """List the models."""
    if click.get_current_context().invoked_subcommand is None:
        with session.client() as client:
            _show(session, client.models())


@models.command()
@click.argument("name")
@connected()
def show(*, session: Session, name: str) -> None:
    """Show a model with its classes."""
    with session.client() as client:
        model = client.model(name)
    _show(session, [model])
    if model.labels and not session.output.is_json:
        rows = ((str(index), label) for index, label in enumerate(model.labels))
        session.output.table((">index", "class"), rows)


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@connected()
def check(*, session: Session, names: tuple[str, ...]) -> int:
    """Exit with 1 unless these models, or all of them, are available."""
    with session.client() as client:
        found = [client.model(name) for name in names] if names else client.models()
    _show(session, found)
    ill = not found or any(model.state != "available" for model in found)
    return exits.JOB_FAILED if ill else exits.OK


def _show(session: Session, found: Sequence[Model]) -> None:
    if session.output.is_json:
        for model in found:
            session.output.document(model.raw)
    else:
        session.output.table(_HEADS, map(_row, found))


def _row(model: Model) -> tuple[str, ...]:
    size = model.input_size
    return (
        model.name,
        model.state,
        "-" if model.version is None else str(model.version),
        "-" if size is None else f"{size[0]} x {size[1]}",
        "-" if model.class_count is None else str(model.class_count),
        model.problem or " ".join(f"warning: {one}" for one in model.warnings),
    )
