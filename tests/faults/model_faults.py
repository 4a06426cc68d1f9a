"""A model server that hangs, answers nonsense, takes fewer images, or changes its version."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from tests.bench.figure import Figure
from tests.faults.stack import LEASE_S, LONG, Stack, running_stack

JOB_LIMIT_S = 6.0


def model_server(*, rounds: int) -> Iterator[Figure]:
    """Let jobs meet each fault in turn, and a sound server after it."""
    otherwise: list[str] = []
    hung = []
    with running_stack({"LIMELIGHT_JOB_LIMIT_S": str(JOB_LIMIT_S)}) as stack:
        stack.start_worker()
        for _ in range(rounds):
            hung.append(_hangs(stack, otherwise))
            for fault in (_answers_nan, _takes_fewer, _replaces_version, _drops_asked_version):
                fault(stack, otherwise)
                stack.model_server.reset()
                if (after := _ended(stack, stack.accepted()))["status"] != "succeeded":
                    otherwise.append(f"after {fault.__name__}: {after['status']}")
    for told in otherwise:
        yield Figure(name=f"model_server: {told}", value=1, unit="jobs", goal=0)
    yield Figure(
        name="model_server: jobs that ended otherwise than promised",
        value=len(otherwise), unit="jobs", goal=0,
    )  # fmt: skip
    yield Figure(
        name=f"model_server: longest job of a server that hangs, with a limit of {JOB_LIMIT_S:g} s",
        value=max(hung), unit="s", goal=JOB_LIMIT_S + LEASE_S,
    )  # fmt: skip


def _ended(stack: Stack, job_id: str) -> dict[str, Any]:
    while stack.ledger.open():
        stack.settle(timeout_s=60)
    return stack.job(job_id)


def _error_of(job: dict[str, Any]) -> str:
    return str((job.get("error") or {}).get("type", job["status"]))


def _hangs(stack: Stack, otherwise: list[str]) -> float:
    stack.model_server.hang()
    began = time.monotonic()
    ended = _ended(stack, stack.accepted())
    took_s = time.monotonic() - began
    stack.model_server.release()
    if not _error_of(ended).endswith(("timed-out", "predictor-deadline")):
        otherwise.append(f"hangs: {_error_of(ended)}")
    return took_s


def _answers_nan(stack: Stack, otherwise: list[str]) -> None:
    stack.model_server.answers_nan = True
    ended = _ended(stack, stack.accepted())
    if not _error_of(ended).endswith("bad-model-output"):
        otherwise.append(f"answers NaN: {_error_of(ended)}")


def _takes_fewer(stack: Stack, otherwise: list[str]) -> None:
    stack.model_server.most_rows = 3
    ended = _ended(stack, stack.accepted())
    if ended["status"] != "succeeded":
        otherwise.append(f"takes fewer images: {_error_of(ended)}")


def _replaces_version(stack: Stack, otherwise: list[str]) -> None:
    job_id = _under_way(stack)
    stack.model_server.version = 2
    stack.model_server.delay_s = 0.0
    ended = _ended(stack, job_id)
    if ended["status"] != "succeeded" or ended["model"]["version"] != 2:
        otherwise.append(f"replaces its version: {_error_of(ended)}")


def _drops_asked_version(stack: Stack, otherwise: list[str]) -> None:
    job_id = _under_way(stack, version="1")
    stack.model_server.version = 2
    stack.model_server.delay_s = 0.0
    ended = _ended(stack, job_id)
    if not _error_of(ended).endswith("model-version-gone"):
        otherwise.append(f"drops the version asked for: {_error_of(ended)}")


def _under_way(stack: Stack, **form: str) -> str:
    """Post a long job and wait until some of its calls were answered."""
    stack.model_server.delay_s = 0.02
    before = stack.model_server.predicted
    job_id = stack.accepted(**LONG, **form)
    stack.wait_for(job_id, "processing")
    while stack.model_server.predicted < before + 3:
        time.sleep(0.01)
    return job_id
