"""Commands of others: administrative ones come with the service, by entry points."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

GROUP = "limelight.commands"


def installed() -> Iterable[EntryPoint]:
    """Entry points of the packages installed here."""
    return entry_points(group=GROUP)


class OpenGroup(click.Group):
    """A group that others add commands to, by entry points of the group ``limelight.commands``.

    The name of an entry point is the command's. A group of a name that exists here already adds
    its commands to ours, which come first. An entry point whose package cannot be imported, as
    its extra is not installed, is simply not there.

    Parameters
    ----------
    find : callable
        Finds the entry points.
    """

    def __init__(
        self, *arguments: Any, find: Callable[[], Iterable[EntryPoint]] = installed, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self._find = find

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, ours and theirs."""
        theirs = {point.name for point in self._find() if _load(point) is not None}
        return sorted({*super().list_commands(ctx), *theirs})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command by its name."""
        ours = super().get_command(ctx, cmd_name)
        if ours is not None and not isinstance(ours, click.Group):
            return ours
        points = sorted(self._find(), key=lambda point: point.value)
        theirs = (_load(point) for point in points if point.name == cmd_name)
        found = [command for command in (ours, *theirs) if command is not None]
        groups = [command for command in found if isinstance(command, click.Group)]
        if len(groups) > 1:
            return _joined(cmd_name, groups)
        return found[0] if found else None


def _load(point: EntryPoint) -> click.Command | None:
    try:
        found = point.load()
    except ImportError:
        return None
    return found if isinstance(found, click.Command) else None


def _joined(name: str, groups: list[click.Group]) -> click.Group:
    """Make one group of several; the first that has a command of a name gives it."""
    commands: dict[str, click.Command] = {}
    for group in groups:
        commands = {**group.commands, **commands}
    return click.Group(name, commands=commands, help=groups[0].help)
