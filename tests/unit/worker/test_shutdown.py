from __future__ import annotations

import os
import signal
import time

from worker.shutdown import ShutdownFlag, begin_shutdown


def test_a_child_forked_before_sees_the_flag_that_its_parent_sets() -> None:
    flag = ShutdownFlag()
    child = os.fork()
    if child == 0:
        give_up = time.monotonic() + 5
        while not flag.is_set() and time.monotonic() < give_up:
            time.sleep(0.001)
        os._exit(0 if flag.is_set() else 1)
    assert not flag.is_set()
    flag.set()
    assert os.waitpid(child, 0)[1] == 0


def test_after_the_grace_the_shutdown_turns_cold_and_only_once() -> None:
    received: list[float] = []
    before = signal.signal(signal.SIGQUIT, lambda *_: received.append(time.monotonic()))
    try:
        flag = ShutdownFlag()
        started = time.monotonic()
        begin_shutdown(flag, grace_s=0.05)
        begin_shutdown(flag, grace_s=0.0)
        assert flag.is_set()
        assert not received
        time.sleep(0.2)
    finally:
        signal.signal(signal.SIGQUIT, before)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert len(received) == 1
    assert received[0] - started >= 0.05
