"""What ``make serve MODELS=`` does with models of which some cannot be explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.demo.processes import StackError
from deploy.demo.stack import check_models

WORKS = "cats at dns:///h:8500: ok\n  warning: Its scores add up to 2 instead of 1: ok\n"
FAILS = "dogs at dns:///h:8500: cannot be explained\n  No axis [2].\n  The server's own words: x\n"


class Programs:
    """Run nothing, and say what a program would have said."""

    def __init__(self, told: str) -> None:
        self._told = told

    def run(self, *_: Any, **__: Any) -> str:
        return self._told


def check(told: str) -> tuple[list[str], list[str]]:
    said: list[str] = []
    return check_models(Path("models.toml"), Programs(told), said.append), said


def test_models_that_work_are_served_and_the_others_are_told_with_their_problems() -> None:
    assert check(WORKS + FAILS + WORKS.replace("cats", "mice")) == (
        ["cats", "mice"],
        [FAILS.rstrip()],
    )


def test_nothing_is_told_where_all_work() -> None:
    assert check(WORKS) == (["cats"], [])


@pytest.mark.parametrize("told", [FAILS, "models.toml is not valid TOML.\n", ""])
def test_where_none_works_what_the_check_says_is_the_error(told: str) -> None:
    with pytest.raises(StackError) as caught:
        check(told)
    assert told.rstrip() in str(caught.value)
