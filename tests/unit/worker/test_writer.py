from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tests.unit.fakes import FakeBlobs
from worker.jobs.errors import StoreFull
from worker.writer import Writer


class GatedBlobs(FakeBlobs):
    """Blobs that are stored once the gate is open, and one that finds no room."""

    def __init__(self, *, full: str | None = None) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.full = full

    def put(self, key: str, data: bytes) -> None:
        self.begun.set()
        assert self.gate.wait(10)
        if key == self.full:
            raise StoreFull("no room")
        super().put(key, data)


def once(call: Callable[[], None]) -> None:
    """Call once: here no store is away."""
    call()


def go_on() -> None:
    """Have no reason to stop."""


def test_who_puts_goes_on_before_it_is_stored_and_leaves_after() -> None:
    blobs = GatedBlobs()
    with Writer(blobs, outlast=once, checkpoint=go_on) as writer:
        writer.put("one", b"1")
        writer.put("two", b"2")
        assert blobs.begun.wait(10)
        assert blobs.data == {}
        threading.Timer(0.05, blobs.gate.set).start()
    assert list(blobs.data.items()) == [("one", b"1"), ("two", b"2")]


def test_an_error_is_raised_by_the_next_put() -> None:
    blobs = GatedBlobs(full="one")
    blobs.gate.set()

    def put_until_told() -> None:
        with Writer(blobs, outlast=once, checkpoint=go_on) as writer:
            writer.put("one", b"1")
            for number in range(1000):
                writer.put(f"other {number}", b"2")
                time.sleep(0.01)

    with pytest.raises(StoreFull):
        put_until_told()
    assert "other 999" not in blobs.data


def test_an_error_of_the_last_is_raised_at_the_end() -> None:
    blobs = GatedBlobs(full="last")
    blobs.gate.set()

    def put_two() -> None:
        with Writer(blobs, outlast=once, checkpoint=go_on) as writer:
            writer.put("first", b"1")
            writer.put("last", b"2")

    with pytest.raises(StoreFull):
        put_two()
    assert blobs.data == {"first": b"1"}


def test_an_interruption_drops_what_has_not_begun_and_waits_for_the_rest() -> None:
    blobs = GatedBlobs()

    def be_interrupted() -> None:
        with Writer(blobs, outlast=once, checkpoint=go_on) as writer:
            writer.put("begun", b"1")
            assert blobs.begun.wait(10)
            writer.put("waiting", b"2")
            threading.Timer(0.05, blobs.gate.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        be_interrupted()
    assert blobs.data == {"begun": b"1"}


def test_a_reason_to_stop_ends_the_waiting_at_the_end() -> None:
    blobs = GatedBlobs()

    def stop() -> None:
        threading.Timer(0.05, blobs.gate.set).start()
        raise KeyboardInterrupt

    def put_two() -> None:
        with Writer(blobs, outlast=once, checkpoint=stop) as writer:
            writer.put("begun", b"1")
            assert blobs.begun.wait(10)
            writer.put("waiting", b"2")

    with pytest.raises(KeyboardInterrupt):
        put_two()
    assert blobs.data == {"begun": b"1"}
