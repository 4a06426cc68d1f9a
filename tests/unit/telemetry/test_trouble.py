from __future__ import annotations

import logging

import structlog
from structlog.testing import capture_logs

from worker.telemetry.logs import OnceAMinute
from worker.telemetry.trouble import AGAIN_S, Trouble


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_lasts_is_said_at_its_beginning_and_each_minute() -> None:
    clock = Clock()
    trouble = Trouble(structlog.get_logger(), clock=clock)
    with capture_logs() as said:
        for second in range(int(2 * AGAIN_S) + 1):
            clock.now = float(second)
            trouble.tell("away", problem="a replica", error=f"a replica, at {second}")
    assert [line["error"] for line in said] == [f"a replica, at {at}" for at in (0, 60, 120)]


def test_another_trouble_and_its_end_are_said_at_once() -> None:
    trouble = Trouble(structlog.get_logger(), clock=Clock())
    with capture_logs() as said:
        trouble.over("back")
        for problem in ("a replica", "a replica", "full", "a replica"):
            trouble.tell("away", problem=problem)
        trouble.over("back")
        trouble.over("back")
        trouble.tell("away", problem="a replica")
    assert [line.get("error", line["event"]) for line in said] == [
        "a replica", "full", "a replica", "back", "a replica",
    ]  # fmt: skip


def test_a_library_that_repeats_itself_is_heard_once_a_minute() -> None:
    clock = Clock()
    heard = OnceAMinute(clock=clock)

    def passes(text: str) -> bool:
        record = logging.LogRecord("kombu", logging.ERROR, "", 0, "in timer: %s", (text,), None)
        return bool(heard.filter(record))

    assert [passes(text) for text in ("READONLY", "OOM")] == [True, True]
    clock.now = AGAIN_S - 1
    assert not passes("READONLY")
    clock.now = AGAIN_S + 1
    assert passes("READONLY")
