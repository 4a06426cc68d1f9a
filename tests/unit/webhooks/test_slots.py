from __future__ import annotations

from worker.webhooks.slots import Slots


def tried(slots: Slots, *hosts: str, slow: bool) -> None:
    for host in hosts:
        assert slots.admit(host) == "admitted"
        slots.release(host, slow=slow)


def test_a_host_that_answers_gets_so_many_slots_and_others_get_theirs() -> None:
    slots = Slots(total=10, per_host=2)
    tried(slots, "a", "b", slow=False)
    assert [slots.admit("a") for _ in range(3)] == ["admitted", "admitted", "prompt"]
    assert slots.admit("b") == "admitted"
    slots.release("a", slow=False)
    assert slots.admit("a") == "admitted"


def test_there_are_so_many_slots_in_all() -> None:
    slots = Slots(total=2, per_host=2)
    tried(slots, *"abc", slow=False)
    assert [slots.admit(host) for host in "abc"] == ["admitted", "admitted", "full"]
    slots.release("a", slow=None)
    assert slots.admit("c") == "admitted"


def test_a_host_that_was_never_tried_gets_one_slot_until_it_answers() -> None:
    slots = Slots(total=10, per_host=4)
    assert [slots.admit("new"), slots.admit("new")] == ["admitted", "stranger"]
    slots.release("new", slow=False)
    assert [slots.admit("new"), slots.admit("new")] == ["admitted", "admitted"]


def test_a_slow_host_gets_one_slot_until_it_answers() -> None:
    slots = Slots(total=10, per_host=4)
    tried(slots, "a", slow=True)
    assert [slots.admit("a"), slots.admit("a")] == ["admitted", "slow"]
    slots.release("a", slow=False)
    assert [slots.admit("a"), slots.admit("a")] == ["admitted", "admitted"]


def test_a_try_that_was_not_made_says_nothing_of_the_host() -> None:
    slots = Slots(total=10, per_host=4)
    tried(slots, "dead", slow=True)
    slots.admit("dead")
    slots.release("dead", slow=None)
    assert [slots.admit("dead"), slots.admit("dead")] == ["admitted", "slow"]


def test_slow_hosts_leave_half_of_the_slots_and_strangers_a_quarter() -> None:
    slots = Slots(total=12, per_host=4)
    dead = [f"dead-{number}" for number in range(20)]
    tried(slots, *dead, slow=True)
    tried(slots, "alive", slow=False)
    assert [slots.admit(host) for host in dead].count("admitted") == 6
    strangers = [slots.admit(f"new-{number}") for number in range(20)]
    assert (strangers.count("admitted"), strangers.count("stranger")) == (3, 17)
    assert [slots.admit("alive") for _ in range(3)] == ["admitted", "admitted", "prompt"]


def test_prompt_hosts_leave_an_eighth_to_those_that_have_no_slot() -> None:
    slots = Slots(total=16, per_host=4)
    hosts = [f"ill-{number}" for number in range(6)]
    tried(slots, *hosts, slow=False)
    got = [slots.admit(host) for _ in range(4) for host in hosts]
    assert (got.count("admitted"), got.count("prompt")) == (14, 10)
    assert [slots.admit("new"), slots.admit("other"), slots.admit("third")] == [
        "admitted",
        "admitted",
        "full",
    ]
