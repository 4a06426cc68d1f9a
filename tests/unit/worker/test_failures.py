from __future__ import annotations

import inspect
from types import ModuleType

import pytest

import worker.explain.errors
import worker.images.errors
import worker.serving.errors
from worker.explain.errors import ExplainError
from worker.failures import INTERNAL, REASONS, failure_of, reason_of
from worker.serving.errors import PredictorError, PredictorUnavailable, ProfileError

# ProfileError stops a worker at its start, the others are bases that nothing raises.
NOT_OF_A_JOB = {ProfileError, PredictorError, ExplainError}


def errors_of(module: ModuleType) -> list[type[Exception]]:
    return [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception)
        and kind.__module__ == module.__name__
        and kind not in NOT_OF_A_JOB
    ]


@pytest.mark.parametrize(
    "module", [worker.explain.errors, worker.images.errors, worker.serving.errors]
)
def test_every_error_that_a_job_can_meet_has_a_reason(module: ModuleType) -> None:
    for kind in errors_of(module):
        assert any(base in REASONS for base in kind.__mro__), f"{kind.__name__} has no reason"


def test_an_error_nobody_foresaw_is_internal_and_keeps_its_text_to_itself() -> None:
    failure = failure_of(ValueError("/etc/passwd"), stage="fitting")
    assert reason_of(ValueError()) is INTERNAL
    assert (failure.type, failure.stage, failure.retryable) == ("internal", "fitting", False)
    assert "passwd" not in failure.detail


def test_a_predictors_own_word_on_retrying_counts() -> None:
    sure = PredictorUnavailable("It is away.", grpc_status="UNAVAILABLE")
    never = PredictorUnavailable("It is away.", retryable=False)
    assert failure_of(sure, stage="sampling").retryable
    assert not failure_of(never, stage="sampling").retryable
    assert failure_of(sure, stage="sampling").grpc_status == "UNAVAILABLE"
