"""Who waits for a client leaves its slot to others; where too many wait, the slowest go."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager

import pytest

from web.slots import CannotWait, Slots

LONG_S = 10.0


class Slow:
    """A client that is waited for until it is disconnected or moves."""

    def __init__(self, *, held=0, rate=1.0):
        self.held = held
        self.rate = rate
        self.over = threading.Event()
        self.is_disconnected = False

    def disconnect(self):
        self.is_disconnected = True
        self.over.set()


@contextmanager
def waiting(slots, *clients):
    """Threads that hold a slot and wait for these clients, as long as the block lasts."""

    def serve(client):
        with slots.taken(), slots.lent(client):
            begun.release()
            client.over.wait(LONG_S)

    begun = threading.Semaphore(0)
    threads = [threading.Thread(target=serve, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        for _ in threads:
            assert begun.acquire(timeout=LONG_S)
        yield
    finally:
        for client in clients:
            client.over.set()
        for thread in threads:
            thread.join(LONG_S)
            assert not thread.is_alive()


def test_who_waits_leaves_its_slot_to_another():
    slots = Slots(1, most_bytes=100)
    with waiting(slots, Slow(), Slow(), Slow()), slots.taken():
        pass


def test_no_more_are_at_work_than_there_are_slots():
    slots = Slots(2, most_bytes=100)
    lock, at_work, most = threading.Lock(), 0, 0

    def serve():
        nonlocal at_work, most
        with slots.taken():
            for _ in range(3):
                with lock:
                    at_work += 1
                    most = max(most, at_work)
                time.sleep(0.002)
                with lock:
                    at_work -= 1
                with slots.lent(Slow()):
                    time.sleep(0.001)

    threads = [threading.Thread(target=serve) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
        assert not thread.is_alive()
    assert most == 2


def test_who_returns_goes_before_who_arrives():
    slots = Slots(1, most_bytes=100)
    client, order = Slow(), []

    def go_on():
        with slots.taken():
            with slots.lent(client):
                begun.set()
                client.over.wait(LONG_S)
            order.append("returned")

    def arrive():
        with slots.taken():
            order.append("arrived")

    begun = threading.Event()
    first = threading.Thread(target=go_on)
    first.start()
    assert begun.wait(LONG_S)
    with slots.taken():
        second = threading.Thread(target=arrive)
        second.start()
        time.sleep(0.1)
        client.over.set()
        time.sleep(0.1)
        assert order == []
    first.join(LONG_S)
    second.join(LONG_S)
    assert order == ["returned", "arrived"]


@pytest.mark.parametrize(
    "bounds",
    [{"most_bytes": 100}, {"most_bytes": 10**9, "most_waiting": 2}],
    ids=["too much memory", "too many"],
)
def test_the_slowest_makes_room(bounds):
    slots = Slots(3, **bounds)
    fast, slow, new = Slow(held=40, rate=9.0), Slow(held=40, rate=1.0), Slow(held=40, rate=5.0)
    with waiting(slots, fast, slow), waiting(slots, new):
        assert slow.is_disconnected
        assert not fast.is_disconnected
        assert not new.is_disconnected


def test_as_many_make_room_as_hold_what_is_needed():
    slots = Slots(4, most_bytes=100)
    small = [Slow(held=30, rate=rate) for rate in (1.0, 2.0, 3.0)]
    with waiting(slots, *small), waiting(slots, Slow(held=70)):
        assert [client.is_disconnected for client in small] == [True, True, False]


def test_a_thread_without_a_slot_waits_for_nobody():
    slots = Slots(1, most_bytes=100)
    with pytest.raises(CannotWait), slots.lent(Slow()):
        raise AssertionError("it waited")


def test_a_slot_is_free_again_after_an_error():
    slots = Slots(1, most_bytes=100)
    for _ in range(3):
        with ExitStack() as stack:
            stack.enter_context(pytest.raises(RuntimeError))
            stack.enter_context(slots.taken())
            stack.enter_context(slots.lent(Slow()))
            raise RuntimeError
    with slots.taken():
        pass
