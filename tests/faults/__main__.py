"""`make faults`: do harm to the service and count, one JSON object a line.

`python -m tests.faults kill_loop drain` runs only those; `--short` takes small numbers.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from tests.bench.figure import Figure
from tests.faults import handovers, kills, model_faults, outages, overload, storage

Run = Callable[[], Iterator[Figure]]


@dataclass(frozen=True)
class Experiment:
    """One way to do harm: as the promises say, and with small numbers."""

    long: Run
    short: Run


def _rounds(run: Callable[..., Iterator[Figure]]) -> Experiment:
    return Experiment(partial(run, rounds=5), partial(run, rounds=1))


EXPERIMENTS: Mapping[str, Experiment] = {
    "freeze_kill": Experiment(
        partial(kills.freeze_kill, kills=20, jobs=500),
        partial(kills.freeze_kill, kills=2, jobs=20),
    ),
    "kill_loop": Experiment(
        partial(kills.kill_loop, kills=50, jobs=1000),
        partial(kills.kill_loop, kills=3, jobs=25),
    ),
    "poison": Experiment(partial(kills.poison, others=20), partial(kills.poison, others=4)),
    "stale_worker": _rounds(handovers.stale_worker),
    "crash_delay": _rounds(handovers.crash_delay),
    "drain": _rounds(handovers.drain),
    "cancel": _rounds(handovers.cancel),
    "duplicates": Experiment(
        partial(handovers.duplicates, jobs=100), partial(handovers.duplicates, jobs=15)
    ),
    "redis_restart": Experiment(
        partial(outages.redis_restart, kills=5, jobs=50),
        partial(outages.redis_restart, kills=2, jobs=10),
    ),
    "half_open": _rounds(outages.half_open),
    "nearly_full": Experiment(
        partial(outages.nearly_full, posts=50), partial(outages.nearly_full, posts=5)
    ),
    "full": _rounds(outages.full),
    "refused": _rounds(outages.refused),
    "emptied": Experiment(partial(outages.emptied, jobs=20), partial(outages.emptied, jobs=4)),
    "overload": Experiment(
        partial(overload.overload, seconds=60), partial(overload.overload, seconds=9)
    ),
    "model_server": _rounds(model_faults.model_server),
    "disk_full": Experiment(
        partial(storage.disk_full, jobs=10), partial(storage.disk_full, jobs=3)
    ),
    "no_checkpoint": _rounds(storage.no_checkpoint),
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
        except Exception as error:  # noqa: BLE001 - the others are tried all the same.
            traceback.print_exc()
            told = f"{name}: {error or type(error).__name__}"
            print(Figure(name=told, value=1, unit="failures", goal=0).as_line(), flush=True)
            missed = True
        print(f"# {name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
