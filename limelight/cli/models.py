"""``limelight models``: what can be explained."""

from __future__ import annotations

import click

from limelight.cli import exits
from limelight.cli.session import Session, connected
from limelight.models import Model

_HEADS = ("name", "state", ">version", ">input", ">classes", "problem")


@click.command()
@click.argument("name", required=False)
@click.option("--check", is_flag=True, help="Exit with 1 if a model shown is not available.")
@connected()
def models(*, session: Session, name: str | None, check: bool) -> int:
    """List the models, or show one with its classes."""
    with session.client() as client:
        shown = client.models() if name is None else [client.model(name)]
    if session.output.is_json:
        for model in shown:
            session.output.document(model.raw)
    else:
        session.output.table(_HEADS, map(_row, shown))
        if name is not None and shown[0].labels:
            labels = enumerate(shown[0].labels)
            session.output.table((">index", "class"), ((str(i), label) for i, label in labels))
    ill = check and any(model.state != "available" for model in shown)
    return exits.JOB_FAILED if ill else exits.OK


def _row(model: Model) -> tuple[str, ...]:
    size = model.input_size
    return (
        model.name,
        model.state,
        "-" if model.version is None else str(model.version),
        "-" if size is None else f"{size[0]} x {size[1]}",
        "-" if model.class_count is None else str(model.class_count),
        model.problem or "",
    )
