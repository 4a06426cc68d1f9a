"""A stand-in for TensorFlow Serving, for demos and tests: its services, its errors, real models.

    python -m deploy.demo.model_server --port 8500 --model NAME=DIR

listens at once, loads all versions in each `DIR/NUMBER`, and then writes one line of JSON to
stdout: `{"ready": true, "port": 8500, "models": {"NAME": [1]}}`. It looks into the folders again
every second, and at once on SIGHUP. SIGTERM and SIGINT end it when running calls are answered.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from deploy.demo.tensorflow_start import start_tensorflow

if TYPE_CHECKING:
    from deploy.demo.served_models import ServedModels

_GRACE_S: Final = 10.0

# Parameters of glibc's mallopt, from its malloc.h.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_MAX: Final = -4


class PortTakenError(Exception):
    """The address cannot be listened on."""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What the command line asks for; see `--help`."""

    host: str
    port: int
    models: dict[str, Path]
    labels: dict[str, dict[str, int]]
    max_batch_size: int
    threads: int | None
    calls_at_once: int
    poll_s: float


def parse_arguments(arguments: Sequence[str] | None = None) -> Arguments:
    """Read the command line; a mistake in it ends the program with a usage message."""
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.model_server")
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, default=8500, help="0 for a free one (%(default)s)")
    add("--model", action="append", required=True, metavar="NAME=DIR", type=_model)
    add("--labels", action="append", default=[], metavar="NAME:LABEL=VERSION", type=_label)
    add("--max-batch-size", type=int, default=0, help="images in a call; 0 for no limit")
    add("--threads", type=int, help="threads for TensorFlow (all cores)")
    add("--calls-at-once", type=int, default=4, help="calls answered at once (%(default)s)")
    add("--poll-seconds", type=float, default=1.0, help="between looks at folders (%(default)s)")
    parsed = parser.parse_args(arguments)
    labels: dict[str, dict[str, int]] = {}
    for name, label, version in parsed.labels:
        labels.setdefault(name, {})[label] = version
    return Arguments(
        host=parsed.host,
        port=parsed.port,
        models=dict(parsed.model),
        labels=labels,
        max_batch_size=parsed.max_batch_size,
        threads=parsed.threads,
        calls_at_once=parsed.calls_at_once,
        poll_s=parsed.poll_seconds,
    )


def serve(arguments: Arguments, *, stop: threading.Event, look: threading.Event) -> None:
    """Serve until `stop` is set; setting `look` makes it look into the folders at once.

    Raises
    ------
    PortTakenError
        If the address cannot be listened on.
    """
    _keep_freed_memory()
    start_tensorflow(threads=arguments.threads)
    from deploy.demo.served_models import ServedModels  # noqa: PLC0415 - imports TensorFlow
    from deploy.demo.servicers import make_server  # noqa: PLC0415 - imports TensorFlow

    models = ServedModels(arguments.models, arguments.labels)
    server, health = make_server(
        models,
        calls_at_once=arguments.calls_at_once,
        max_batch_size=arguments.max_batch_size,
    )
    address = f"{arguments.host}:{arguments.port}"
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise PortTakenError(
            f"cannot listen on {address}: another program uses the port, or the address is not "
            "of this machine; choose another with --port (0 takes a free one)"
        ) from error
    health.set("", _health("NOT_SERVING"))
    server.start()
    models.refresh()
    health.set("", _health("SERVING"))
    print(json.dumps({"ready": True, "port": port, "models": models.available()}), flush=True)
    _watch(models, stop=stop, look=look, poll_s=arguments.poll_s)
    health.enter_graceful_shutdown()
    server.stop(_GRACE_S).wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal says otherwise, and return the exit code."""
    logging.basicConfig(level=logging.INFO, format="model server: %(message)s")
    # What gRPC's core logs of a taken port is said in a sentence below.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    parsed = parse_arguments(arguments)
    stop, look = threading.Event(), threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        if number != signal.SIGHUP:
            stop.set()
        look.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)
    try:
        serve(parsed, stop=stop, look=look)
    except PortTakenError as error:
        print(f"model server: {error}", file=sys.stderr)
        return 1
    return 0


def _keep_freed_memory() -> None:
    """Let glibc keep what is freed, where there is glibc.

    A network of this kind allocates and frees tensors of many megabytes in each operation. By
    default each comes from the kernel and goes back to it, and faulting its pages in again took
    a fifth of the CPU time of EfficientNet-Lite0 at 8 to 32 images a call.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def _watch(
    models: ServedModels, *, stop: threading.Event, look: threading.Event, poll_s: float
) -> None:
    while not stop.is_set():
        look.wait(poll_s)
        look.clear()
        if not stop.is_set():
            models.refresh()


def _health(state: str) -> int:
    from grpc_health.v1 import health_pb2  # noqa: PLC0415 - as all of gRPC: after TensorFlow

    return int(health_pb2.HealthCheckResponse.ServingStatus.Value(state))


def _model(text: str) -> tuple[str, Path]:
    name, separator, folder = text.partition("=")
    if not (name and separator and folder):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=DIR")
    return name, Path(folder)


def _label(text: str) -> tuple[str, str, int]:
    target, _, version = text.partition("=")
    name, _, label = target.partition(":")
    if not (name and label and version.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME:LABEL=VERSION")
    return name, label, int(version)


if __name__ == "__main__":
    sys.exit(main())
