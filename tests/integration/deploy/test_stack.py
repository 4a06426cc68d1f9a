"""The embedded stack's own judgement of its parts."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from deploy.demo.processes import Guard, Processes, StackError
from deploy.demo.signals import StopSignals
from deploy.demo.stack import Stack
from tests.support.private_redis import private_redis

pytestmark = pytest.mark.integration


def test_a_stack_whose_redis_was_killed_says_so_and_names_the_log(tmp_path: Path) -> None:
    with (
        StopSignals() as signals,
        Guard(tmp_path) as guard,
        private_redis(tmp_path / "redis") as redis,
        Processes(tmp_path, tmp_path, guard=guard, signals=signals) as processes,
    ):
        stack = Stack("http://127.0.0.1:1", redis, processes)
        stack.check()

        os.kill(redis.pid, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while redis.is_running() and time.monotonic() < deadline:
            time.sleep(0.01)

        with pytest.raises(StackError, match="private Redis ended") as caught:
            stack.check()
    assert str(redis.log_path) in str(caught.value)
