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
ROUND_EXAMPLES = 1_000


def main() -> int:
    """Fuzz for about so many seconds; status 1 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="default: %(default)s")
    parser.add_argument("--seed", type=int, help="one round from this seed, to repeat a failure")
    parser.add_argument("--examples", type=int, default=ROUND_EXAMPLES, help="of each test a round")
    asked = parser.parse_args()
    if asked.seed is not None:
        return one_round(asked.seed, examples=asked.examples, timeout_s=None) or 0
    until = time.monotonic() + asked.seconds
    rounds = 0
    while (left_s := until - time.monotonic()) > 0:
        seed = random.randrange(2**32)
        status = one_round(seed, examples=asked.examples, timeout_s=left_s)
        if status:
            print(f"Found something. Again: python -m tests.fuzz --seed {seed}")
            return 1
        rounds += status is not None
    print(f"Nothing found in {asked.seconds:.0f} s: {rounds} whole rounds and the part of another.")
    return 0


def one_round(seed: int, *, examples: int, timeout_s: float | None) -> int | None:
    """Run all fuzz tests once; their status, or None if the time was up before."""
    command = [sys.executable, "-m", "pytest", "tests/fuzz", "-q", "-x", "--timeout=0"]
    try:
        done = subprocess.run(
            [*command, f"--hypothesis-seed={seed}"],
            cwd=ROOT,
            env={**os.environ, EXAMPLES: str(examples)},
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
