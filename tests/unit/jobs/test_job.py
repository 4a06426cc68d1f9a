from __future__ import annotations

import pytest

from worker.jobs.job import TERMINAL, TRANSITIONS, JobRef, artifact_key, is_job_id, upload_key

REF = JobRef("acme", "exp_" + "0" * 32)


def test_a_reference_survives_its_text_form() -> None:
    ref = JobRef.new("acme")
    assert JobRef.parse(str(ref)) == ref


def test_two_references_are_never_the_same() -> None:
    assert len({JobRef.new() for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "text",
    ["", "/", "acme", "acme/exp_1", "ACME/exp_" + "0" * 32, "a/b/exp_" + "0" * 32,
     "../exp_" + "0" * 32, "acme/exp_" + "0" * 33, "acme/exp_" + "0" * 32 + "\n",
     "/exp_" + "0" * 32,
     "acme\n/exp_" + "0" * 32],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a job reference"):
        JobRef.parse(text)


def test_an_id_is_exp_and_128_bits() -> None:
    assert is_job_id(REF.id)
    assert not is_job_id("exp_" + "g" * 32)
    assert not is_job_id(REF.id + "\n")
    assert not is_job_id("../" + REF.id)


def test_a_status_is_terminal_exactly_if_nothing_follows_it() -> None:
    assert {status for status, following in TRANSITIONS.items() if not following} == TERMINAL


def test_what_attempts_make_is_kept_apart_by_their_fence() -> None:
    assert artifact_key(REF, 1, "segments.png") != artifact_key(REF, 2, "segments.png")
    assert upload_key(REF).startswith(f"{REF}/")
