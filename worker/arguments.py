"""The command line of ``limelight-worker``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

CHECK: Final = "check"
MATCH: Final = "match"
STEWARD: Final = "steward"

_EXAMPLE: Final = 'limelight-worker match --model flowers rose.jpg --score "rose=0.561"'


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Leave with the exit code that says so; argparse's own is 2."""
        self.print_usage(sys.stderr)
        self.exit(os.EX_USAGE, f"{self.prog}: {message}\n")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line.

    Returns
    -------
    argparse.Namespace
        ``command`` is None for a worker; those of ``match`` are ``model``, ``photo``, ``scores``
        and ``tolerance``.

    Raises
    ------
    SystemExit
        With ``os.EX_USAGE`` if it cannot be read, with 0 after help.
    """
    parser = _Parser(prog="limelight-worker", description="Explain images that are queued.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser(CHECK, help="try every profile with its model server, say what is wrong")
    match = commands.add_parser(
        MATCH,
        help="find what a profile has to say for a photo to score as in production",
        description="Find what a profile has to say for a photo to score as in production.",
        epilog=f"Example: {_EXAMPLE}",
    )
    match.add_argument(
        "photo", type=Path, help="the file that production got, or - for standard input"
    )
    match.add_argument("--model", required=True, help="name of the profile")
    match.add_argument(
        "--score",
        dest="scores",
        action="append",
        default=[],
        metavar="CLASS=SCORE",
        help="what production answered, class by name or index; may be given several times",
    )
    match.add_argument(
        "--tolerance",
        type=_positive,
        help="how far a score may be off; half a unit of its last digit and 0.002 unless given",
    )
    # What the worker starts beside itself. Nobody else does.
    commands.add_parser(STEWARD)
    return parser.parse_args(arguments)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value
