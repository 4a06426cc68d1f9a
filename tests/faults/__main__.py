"""`make faults`: do harm to the service and count, one JSON object a line.

`python -m tests.faults kill_loop drain` runs only those; `--short` takes small numbers.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from tests.bench.figure import Figure
from tests.faults import kills, outages

Run = Callable[[], Iterator[Figure]]


@dataclass(frozen=True)
class Experiment:
    """One way to do harm: as the promises say, and with small numbers."""

    long: Run
    short: Run


EXPERIMENTS: Mapping[str, Experiment] = {
    "freeze_kill": Experiment(
        partial(kills.freeze_kill, kills=20, jobs=500),
        partial(kills.freeze_kill, kills=3, jobs=60),
    ),
    "kill_loop": Experiment(
        partial(kills.kill_loop, kills=50, jobs=1500),
        partial(kills.kill_loop, kills=6, jobs=100),
    ),
    "stale_worker": Experiment(
        partial(kills.stale_worker, rounds=5), partial(kills.stale_worker, rounds=1)
    ),
    "crash_delay": Experiment(
        partial(kills.crash_delay, rounds=5), partial(kills.crash_delay, rounds=1)
    ),
    "drain": Experiment(partial(kills.drain, rounds=5), partial(kills.drain, rounds=1)),
    "cancel": Experiment(partial(kills.cancel, rounds=5), partial(kills.cancel, rounds=1)),
    "redis_restart": Experiment(
        partial(outages.redis_restart, kills=5, jobs=500),
        partial(outages.redis_restart, kills=2, jobs=60),
    ),
}


def main() -> int:
    """Run what was named, or all; status 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(EXPERIMENTS)}")
    parser.add_argument("--short", action="store_true", help="small numbers, a few minutes")
    given = parser.parse_args()
    asked = given.names or list(EXPERIMENTS)
    if unknown := [name for name in asked if name not in EXPERIMENTS]:
        parser.error(
            f"no experiment named {', '.join(unknown)}; there are {', '.join(EXPERIMENTS)}"
        )
    missed = False
    for name in asked:
        began = time.monotonic()
        experiment = EXPERIMENTS[name]
        try:
            for figure in (experiment.short if given.short else experiment.long)():
                print(figure.as_line(), flush=True)
                missed = missed or figure.met is False
        except TimeoutError as error:
            # The others are tried all the same.
            print(Figure(name=f"{name}: {error}", value=1, unit="failures", goal=0).as_line())
            missed = True
        print(f"# {name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
