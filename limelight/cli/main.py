"""The command's entry: its subcommands, and how a run ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

import click

from limelight.cli import exits
from limelight.cli.completion import completion
from limelight.cli.explain import explain
from limelight.cli.jobs import cancel, delete, fetch, list_jobs, status
from limelight.cli.models import models
from limelight.cli.output import Output, problem_of
from limelight.cli.plugins import OpenGroup
from limelight.cli.session import Wiring
from limelight.cli.webhooks import webhooks
from limelight.errors import LimelightError

NAME = "limelight"


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
        code = command.main(
            list(arguments), prog_name=NAME, standalone_mode=False, obj=wiring or Wiring()
        )
        sys.stdout.flush()
    except click.UsageError as error:
        error.show()
        return exits.USAGE
    except click.ClickException as error:
        return _failed(output, error.format_message(), exits.USAGE)
    except (click.Abort, KeyboardInterrupt):
        output.note("Interrupted.")
        return exits.INTERRUPTED
    except LimelightError as error:
        code = exits.code_of(error)
        output.error(str(error), problem=problem_of(error), code=code)
    except BrokenPipeError:
        # Whoever read our output has gone. What is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.PIPE_CLOSED
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _failed(output, f"{place}{error.strerror or error}.", exits.USAGE)
    return int(code or 0)


def _failed(output: Output, text: str, code: int) -> int:
    output.error(text, code=code)
    return code
