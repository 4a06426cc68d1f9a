"""How long fuzzing goes on: a short form that is the same in each run, and a long one that is not.

``python -m tests.fuzz`` asks for the long form by the environment, a round at a time.
"""

from __future__ import annotations

import os
from datetime import timedelta

from hypothesis import HealthCheck, settings

EXAMPLES = "LIMELIGHT_FUZZ_EXAMPLES"
SHORT_EXAMPLES = 150
# No input may keep a process busy for longer. Sound ones take milliseconds.
DEADLINE = timedelta(seconds=10)


def bounded() -> settings:
    """Return the settings of every fuzz test."""
    asked = os.environ.get(EXAMPLES)
    return settings(
        max_examples=SHORT_EXAMPLES if asked is None else int(asked),
        derandomize=asked is None,
        database=None,
        deadline=DEADLINE,
        print_blob=True,
        # The service keeps what it accepted from one example to the next, as it does in life.
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
        ],
    )
