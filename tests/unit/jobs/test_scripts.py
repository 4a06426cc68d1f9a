from __future__ import annotations

from importlib import resources

import pytest

from worker.jobs.scripts import _SHARED, source

FILES = {path.name for path in (resources.files("worker.jobs") / "lua").iterdir()}


def test_every_file_is_a_script_or_shared_by_one() -> None:
    used = set(_SHARED) | {part for parts in _SHARED.values() for part in parts}
    assert {f"{name}.lua" for name in used} == FILES


@pytest.mark.parametrize("name", _SHARED)
def test_a_script_that_reads_the_clock_may_write_afterwards_on_redis_6(name: str) -> None:
    text = source(name)
    if "'TIME'" in text:
        assert text.index("redis.replicate_commands()") < text.index("'TIME'")


@pytest.mark.parametrize("name", _SHARED)
def test_a_script_begins_by_saying_what_it_does(name: str) -> None:
    own = (resources.files("worker.jobs") / "lua" / f"{name}.lua").read_text()
    assert own.startswith("-- ")
