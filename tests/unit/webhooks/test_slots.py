from __future__ import annotations

from worker.webhooks.slots import Slots


def test_a_host_gets_so_many_slots_and_others_get_theirs() -> None:
    slots = Slots(total=10, per_host=2)
    assert [slots.admit("a") for _ in range(3)] == ["admitted", "admitted", "wait"]
    assert slots.admit("b") == "admitted"
    slots.release("a", timed_out=False)
    assert slots.admit("a") == "admitted"


def test_there_are_so_many_slots_in_all() -> None:
    slots = Slots(total=2, per_host=2)
    assert [slots.admit(host) for host in "abc"] == ["admitted", "admitted", "full"]
    slots.release("a", timed_out=None)
    assert slots.admit("c") == "admitted"


def test_a_host_that_let_a_try_time_out_gets_one_slot() -> None:
    slots = Slots(total=10, per_host=4)
    slots.admit("dead")
    slots.release("dead", timed_out=True)
    assert [slots.admit("dead"), slots.admit("dead")] == ["admitted", "later"]


def test_a_host_that_answers_again_is_slow_no_more() -> None:
    slots = Slots(total=10, per_host=4)
    for timed_out in (True, False):
        slots.admit("a")
        slots.release("a", timed_out=timed_out)
    assert [slots.admit("a"), slots.admit("a")] == ["admitted", "admitted"]


def test_a_try_that_was_not_made_says_nothing_of_the_host() -> None:
    slots = Slots(total=10, per_host=4)
    slots.admit("dead")
    slots.release("dead", timed_out=True)
    slots.admit("dead")
    slots.release("dead", timed_out=None)
    assert [slots.admit("dead"), slots.admit("dead")] == ["admitted", "later"]


def test_slow_hosts_together_leave_half_of_the_slots_to_others() -> None:
    slots = Slots(total=10, per_host=4)
    dead = [f"dead-{number}" for number in range(20)]
    for host in dead:
        slots.admit(host)
        slots.release(host, timed_out=True)
    assert [slots.admit(host) for host in dead].count("admitted") == 5
    assert [slots.admit(f"alive-{number}") for number in range(6)] == ["admitted"] * 5 + ["full"]
