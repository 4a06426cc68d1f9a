"""``limelight completion``: the script by which a shell completes our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

NAME = "limelight"
COMPLETE_VARIABLE = "_LIMELIGHT_COMPLETE"
_SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Print a completion script for bash, zsh or fish.

    For bash and zsh, put `eval "$(limelight completion bash)"` into ~/.bashrc or ~/.zshrc. For
    fish, write the script to ~/.config/fish/completions/limelight.fish.
    """
    root = context.find_root()
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click has one for each name of the choice.
    click.echo(found(root.command, {}, NAME, COMPLETE_VARIABLE).source())
