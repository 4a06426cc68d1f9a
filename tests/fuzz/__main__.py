"""``make fuzz``: rounds of fuzzing, each from another seed, until the time is up or one fails."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.bounds import EXAMPLES

ROOT = Path(__file__).resolve().parents[2]
ROUND_EXAMPLES = 200
# To make a failure small takes a while, and it must not be lost because the time is up.
OVERTIME_S = 600.0


def main() -> int:
    """Fuzz for about so many seconds; status 1 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="default: %(default)s")
    parser.add_argument("--seed", type=int, help="one round from this seed, to repeat a failure")
    parser.add_argument("--examples", type=int, default=ROUND_EXAMPLES, help="of each test a round")
    asked = parser.parse_args()
    if asked.seed is not None:
        return one_round(asked.seed, examples=asked.examples)
    until = time.monotonic() + asked.seconds
    rounds = 0
    while time.monotonic() < until:
        seed = random.randrange(2**32)
        if one_round(seed, examples=asked.examples):
            again = f"python -m tests.fuzz --seed {seed} --examples {asked.examples}"
            print(f"Found something. Again: {again}")
            return 1
        rounds += 1
    print(f"Nothing found in {rounds} rounds of {asked.examples} examples of each test.")
    return 0


def one_round(seed: int, *, examples: int) -> int:
    """Run all fuzz tests once, whole; their status, or 1 if they do not end."""
    command = [sys.executable, "-m", "pytest", "tests/fuzz", "-q", "-x", "--timeout=0"]
    try:
        return subprocess.run(
            [*command, f"--hypothesis-seed={seed}"],
            cwd=ROOT,
            env={**os.environ, EXAMPLES: str(examples)},
            timeout=OVERTIME_S,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        print(f"A round did not end within {OVERTIME_S:.0f} s.")
        return 1


if __name__ == "__main__":
    sys.exit(main())
