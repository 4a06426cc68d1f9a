from __future__ import annotations

from worker.jobs.queue_order import InteractiveMostly


def taken(order: InteractiveMostly, waiting: dict[str, int], count: int) -> list[str]:
    """Take messages as kombu does: the first queue in order that has one."""
    found = []
    for _ in range(count):
        queue = next(name for name in order.consume(len(waiting)) if waiting[name])
        waiting[queue] -= 1
        found.append(order.rotate(queue))
    return found


def test_every_fourth_message_is_a_bulk_one_while_both_wait() -> None:
    order = InteractiveMostly()
    order.update(["bulk", "interactive"])
    found = taken(order, {"interactive": 100, "bulk": 100}, 80)
    assert found.count("bulk") == 20
    assert found[:4] == ["interactive"] * 3 + ["bulk"]


def test_an_interactive_job_waits_for_one_bulk_job_at_most() -> None:
    order = InteractiveMostly()
    order.update(["interactive", "bulk"])
    taken(order, {"interactive": 0, "bulk": 100}, 50)
    assert taken(order, {"interactive": 1, "bulk": 100}, 1) == ["interactive"]


def test_a_worker_of_one_queue_takes_all_of_it() -> None:
    order = InteractiveMostly()
    order.update(["bulk"])
    assert taken(order, {"bulk": 5}, 5) == ["bulk"] * 5
