"""`make bench`: measure the promised figures, one JSON object a line.

`python -m tests.bench http memory` measures only those. Facts about the machine go to stderr.
What takes hours the first time (`accuracy`, `speedup_…`) is measured only when it is named.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path

from tests.bench import (
    holding_back,
    http_cost,
    http_throughput,
    importing,
    installed_size,
    job_overhead,
    memory,
    perturbing,
)
from tests.bench.accuracy import measuring as accuracy
from tests.bench.accuracy.networks import NETWORKS
from tests.bench.figure import Figure
from tests.bench.peers import queueing, timing

BENCHES: Mapping[str, Callable[[], Iterator[Figure]]] = {
    "importing": importing.measure,
    "perturbing": perturbing.measure,
    "memory": memory.measure,
    "http": http_cost.measure,
    "http_throughput": http_throughput.measure,
    "job": job_overhead.measure,
    "holding_back": holding_back.measure,
    "installed": installed_size.measure,
    "accuracy": accuracy.measure,
    "non_model": timing.measure_non_model,
    "throughput": queueing.measure_throughput,
    "peak_memory": queueing.measure_memory,
    **{f"overhead_{name}": partial(timing.measure_overhead, name) for name in NETWORKS},
    **{f"speedup_{name}": partial(timing.measure_speedup, name) for name in NETWORKS},
}
# These need the scores of very many images, which are kept on disk then.
TAKES_HOURS = frozenset({"accuracy", *(f"speedup_{name}" for name in NETWORKS)})


def main() -> int:
    """Run what was named, or all; status 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(BENCHES)}")
    asked = parser.parse_args().names or [name for name in BENCHES if name not in TAKES_HOURS]
    if unknown := [name for name in asked if name not in BENCHES]:
        parser.error(f"no bench named {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    print(f"# {machine()}", file=sys.stderr)
    missed = False
    for name in asked:
        started = time.monotonic()
        for figure in BENCHES[name]():
            print(figure.as_line(), flush=True)
            missed = missed or figure.met is False
        took_s = time.monotonic() - started
        print(f"# {name} took {took_s:.0f} s, load {_load()}", file=sys.stderr)
    return int(missed)


def machine() -> str:
    """What the figures depend on: processors, load, versions."""
    libraries = ", ".join(
        f"{name} {version(name)}" for name in ("numpy", "scikit-image", "grpcio", "gunicorn")
    )
    return (
        f"{_processor()}, {os.cpu_count()} cores, load {_load()}, {platform.platform()}, "
        f"Python {platform.python_version()}, {libraries}"
    )


def _load() -> str:
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    sys.exit(main())
