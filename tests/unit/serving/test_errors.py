from __future__ import annotations

import pickle

import pytest

from worker.serving import errors


@pytest.mark.parametrize(
    ("kind", "retryable"),
    [
        (errors.PredictorUnavailable, True),
        (errors.PredictorDeadline, True),
        (errors.PredictorRejected, False),
        (errors.ModelVersionGone, False),
        (errors.BadModelOutput, False),
    ],
)
def test_each_kind_knows_whether_a_later_job_may_succeed(
    kind: type[errors.PredictorError], retryable: bool
) -> None:
    assert kind("said").retryable is retryable
    assert kind("said", retryable=not retryable).retryable is not retryable


def test_only_the_detail_is_shown() -> None:
    error = errors.PredictorUnavailable("public", grpc_status="UNAVAILABLE", context="10.0.0.1")
    assert str(error) == "public"
    assert "10.0.0.1" not in repr(error)


def test_errors_survive_the_way_between_processes() -> None:
    error = errors.PredictorUnavailable("public", grpc_status="UNAVAILABLE", context="private")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (again.detail, again.grpc_status, again.context) == ("public", "UNAVAILABLE", "private")
