"""The command's entry: its subcommands, and how a run ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

import click
from click.shell_completion import shell_complete

from limelight.cli import exits
from limelight.cli.completion import COMPLETE_VARIABLE, NAME, completion
from limelight.cli.explain import explain
from limelight.cli.jobs import cancel, delete, fetch, list_jobs, status
from limelight.cli.models import models
from limelight.cli.output import Output, problem_of
from limelight.cli.plugins import OpenGroup
from limelight.cli.session import Wiring
from limelight.cli.webhooks import webhooks
from limelight.errors import LimelightError


@click.group(
    cls=OpenGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    commands=[explain, status, fetch, list_jobs, cancel, delete, models, webhooks, completion],
)
@click.version_option(version("limelight"), prog_name=NAME)
def cli() -> None:
    """Explain the image classifiers that run in TensorFlow Serving.

    The service is the one at --url, else LIMELIGHT_URL, else http://127.0.0.1:8000; the API key
    is LIMELIGHT_API_KEY.
    """


def main() -> NoReturn:
    """Run the command and exit."""
    sys.exit(run(sys.argv[1:]))


def run(
    arguments: Sequence[str], *, command: click.Command = cli, wiring: Wiring | None = None
) -> int:
    """Run the command with these arguments; its exit code.

    What is to be expected, such as a service that is away, ends with a sentence and a code, not
    with a trace.
    """
    # Errors of the arguments come before the option is parsed.
    output = Output(is_json="--json" in arguments)
    try:
        code = _invoke(command, list(arguments), wiring or Wiring())
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.Abort, KeyboardInterrupt):
        output.note("Interrupted.")
        return exits.INTERRUPTED
    except click.ClickException as error:
        return _say(error, output)
    except BrokenPipeError:
        # Whoever read our output has gone. What is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.PIPE_CLOSED
    except (LimelightError, OSError) as error:
        return _say(error, output)
    return code


def _invoke(command: click.Command, arguments: list[str], wiring: Wiring) -> int:
    """Run a command, or complete one for a shell.

    ``click.Command.main`` does the same, but ends the process itself in some cases.
    """
    instruction = os.environ.get(COMPLETE_VARIABLE)
    if instruction:
        return shell_complete(command, {}, NAME, COMPLETE_VARIABLE, instruction)
    with command.make_context(NAME, arguments, obj=wiring) as context:
        return int(command.invoke(context) or exits.OK)


def _say(error: click.ClickException | LimelightError | OSError, output: Output) -> int:
    """Say what went wrong; the exit code for it."""
    if isinstance(error, click.UsageError) and not output.is_json:
        # With the usage of the command and a hint at its help.
        error.show()
        return exits.USAGE
    if isinstance(error, LimelightError):
        code, text = exits.code_of(error), str(error)
    elif isinstance(error, click.ClickException):
        code, text = exits.USAGE, error.format_message()
    else:
        place = f"{error.filename}: " if error.filename else ""
        code, text = exits.USAGE, f"{place}{error.strerror or error}."
    output.error(text, problem=problem_of(error), code=code)
    return code
