"""`make demo` and `make serve`: the whole of Limelight on one machine, with nothing left behind."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.demo.client import (
    DemoError,
    Finished,
    Photograph,
    Service,
    explain_all,
    photographs,
    save,
)
from deploy.demo.processes import StackError
from deploy.demo.redis_server import RedisServerError
from deploy.demo.signals import StopSignals
from deploy.demo.stack import Stack, running_stack

SERVE_PORT = 8000
EXPLAIN_TIMEOUT_S = 300.0
WATCH_S = 1.0
SHOWN_CLASSES = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo or keep the stack running; the exit status."""
    asked = _parse(arguments)
    # A pipe or a log file has no width of its own; 80 columns would cut the paths in two.
    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)
    port = asked.port if asked.port is not None or not asked.serve else SERVE_PORT
    try:
        with (
            StopSignals() as signals,
            running_stack(
                port=port, signals=signals, say=console.print, profiles=asked.models
            ) as stack,
        ):
            if asked.serve:
                if asked.models is None:
                    _show_examples(stack, console)
                _serve(stack, console)
            else:
                _demonstrate(stack, asked.out, console)
    except (StackError, RedisServerError, DemoError) as error:
        print(error, file=sys.stderr)
        return 1
    except SystemExit as stop:
        console.print("Stopped; nothing is left running.")
        return int(stop.code or 0)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.demo",
        description="Explain two photographs on an embedded stack, or keep the stack running.",
    )
    parser.add_argument("--serve", action="store_true", help="keep running until Ctrl-C")
    parser.add_argument(
        "--port",
        type=int,
        choices=range(1, 65536),
        metavar="PORT",
        help=f"port of the web process (default: a free one; {SERVE_PORT} with --serve)",
    )
    parser.add_argument(
        "--models",
        type=Path,
        metavar="MODELS.TOML",
        help="explain these, at the model server that they name, instead of the demo's",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo-output"), help="folder for results (demo-output)"
    )
    return parser.parse_args(arguments)


def _show_examples(stack: Stack, console: Console) -> None:
    """Explain the demo's photographs, so that whoever opens the page finds something there."""
    console.print("Explaining two photographs, so that there is something to see ...")
    with Service(stack.address) as service:
        _explain(service, photographs(), stack, console, classes=SHOWN_CLASSES)


def _serve(stack: Stack, console: Console) -> None:
    picture = photographs()[0].file
    command = f"curl -F image=@{shlex.quote(str(picture))} {stack.address}/v1/explanations"
    console.print(f"Limelight runs at {stack.address} until Ctrl-C: open it in a browser, or try\n")
    # One line whatever the width of the terminal, so that it can be copied.
    console.print(f"  {command}\n", soft_wrap=True)
    console.print("API keys and webhook secrets are made beside it, after:\n")
    console.print(f"  export LIMELIGHT_REDIS_URL={shlex.quote(stack.redis.url)}\n", soft_wrap=True)
    console.print("Metrics of web, worker and webhooks, for Prometheus:\n")
    console.print(f"  {' '.join(stack.metrics)}\n", soft_wrap=True)
    while True:
        stack.check()
        time.sleep(WATCH_S)


def _demonstrate(stack: Stack, out: Path, console: Console) -> None:
    _make_folder(out)
    console.print(f"Explaining two photographs at {stack.address} ...", soft_wrap=True)
    try:
        with Service(stack.address) as service:
            done = _explain(service, photographs(), stack, console)
            for finished in done:
                save(service, finished, out / finished.photograph.name)
    except DemoError:
        # A server that died is the better reason.
        stack.check()
        raise
    console.print(_table(done))
    console.print(
        f"The pictures are in {out}/: look at {out / done[0].photograph.name} first. "
        "For the web page run: make serve",
        soft_wrap=True,
    )


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoError(f"The folder {out} cannot be made: {error.strerror}.") from error


def _explain(
    service: Service,
    pictures: Sequence[Photograph],
    stack: Stack,
    console: Console,
    *,
    classes: int = 1,
) -> list[Finished]:
    progress = Progress(
        TextColumn("{task.description:>8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("samples  {task.fields[stage]:<12}"),
        TimeElapsedColumn(),
        console=console,
    )
    bars = {
        picture: progress.add_task(picture.name, total=None, stage="queued") for picture in pictures
    }

    def show(picture: Photograph, job: Mapping[str, Any]) -> None:
        state = job["progress"]
        ended = job["status"] == "succeeded"
        # A job that settles early ends below its limit: its bar is full all the same.
        progress.update(
            bars[picture],
            completed=state["samples_done"],
            total=state["samples_done"] if ended else state["samples_limit"] or None,
            stage="done" if ended else state["stage"],
        )

    with progress:
        return explain_all(
            service,
            pictures,
            classes=classes,
            on_progress=show,
            check=stack.check,
            timeout_s=EXPLAIN_TIMEOUT_S,
        )


def _table(done: Sequence[Finished]) -> Table:
    table = Table(title="Why the network said what it said")
    table.add_column("image")
    table.add_column("class")
    for name in ("score", "fidelity", "model calls", "seconds"):
        table.add_column(name, justify="right")
    for finished in done:
        for explanation in finished.job["explanations"]:
            fidelity = explanation["fidelity"]["press_r2"]
            table.add_row(
                finished.photograph.name,
                f"{explanation['class_name']} ({explanation['class_index']})",
                f"{explanation['score']:.3f}",
                "-" if fidelity is None else f"{fidelity:.2f}",
                str(finished.job["samples"]["model_calls"]),
                f"{finished.seconds:.1f}",
            )
    return table


if __name__ == "__main__":
    sys.exit(main())
