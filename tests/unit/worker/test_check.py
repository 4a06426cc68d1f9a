from __future__ import annotations

import io
import os

from worker.check import report
from worker.serving.errors import PredictorUnavailable


class Works:
    def check(self, *, timeout_s: float, in_full: bool) -> list[str]:
        assert in_full, "the operator reads what the server says"
        return []

    def doubts(self, *, timeout_s: float) -> list[str]:
        return []

    def limits(self, *, timeout_s: float) -> list[str]:
        return []


class IsInDoubt(Works):
    def doubts(self, *, timeout_s: float) -> list[str]:
        return ["Its scores lie between -3 and 7."]


class IsLimited(Works):
    def limits(self, *, timeout_s: float) -> list[str]:
        return ["Calls of more than 2 image(s) are refused as too large."]


class BreaksLater(Works):
    def doubts(self, *, timeout_s: float) -> list[str]:
        raise PredictorUnavailable("It is overloaded.", context="queue\n full")


class Fails(Works):
    def check(self, *, timeout_s: float, in_full: bool) -> list[str]:
        return ["The output 'scores' does not exist: it has 'probabilities'."]

    def doubts(self, *, timeout_s: float) -> list[str]:
        raise AssertionError("what does not work needs no second look")


def test_models_that_work_are_named_and_the_exit_code_is_zero() -> None:
    out = io.StringIO()
    assert report({"cats": Works(), "dogs": Works()}, out=out) == 0
    assert out.getvalue() == "cats: ok\ndogs: ok\n"


def test_a_model_that_does_not_work_is_told_with_its_problems() -> None:
    out = io.StringIO()
    assert report({"cats": Works(), "dogs": Fails()}, out=out) == os.EX_CONFIG
    assert out.getvalue().splitlines() == [
        "cats: ok",
        "dogs: cannot be explained",
        "  The output 'scores' does not exist: it has 'probabilities'.",
    ]


def test_a_doubt_is_told_and_is_no_failure() -> None:
    out = io.StringIO()
    assert report({"cats": IsInDoubt()}, out=out) == 0
    assert out.getvalue().splitlines() == [
        "cats: ok",
        "  warning: Its scores lie between -3 and 7.",
    ]


def test_a_limit_of_calls_is_told_and_is_no_failure() -> None:
    out = io.StringIO()
    assert report({"cats": IsLimited()}, out=out) == 0
    assert "warning: Calls of more than 2 image(s)" in out.getvalue()


def test_what_the_server_says_is_told_in_its_own_words() -> None:
    out = io.StringIO()
    assert report({"cats": BreaksLater()}, out=out) == os.EX_CONFIG
    assert out.getvalue().splitlines()[1:] == [
        "  It is overloaded.",
        "  The server's own words: queue full",
    ]


def test_having_nothing_to_check_is_no_success() -> None:
    out = io.StringIO()
    assert report({}, out=out) == os.EX_CONFIG
    assert out.getvalue() == "There are no models to check.\n"
