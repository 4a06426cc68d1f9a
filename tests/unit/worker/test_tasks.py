from __future__ import annotations

import pytest
from celery import Celery

from worker.jobs.job import JobRef
from worker.jobs.queue import TASK_NAME
from worker.tasks import register


def test_the_task_hands_the_reference_to_the_use_case() -> None:
    celery, seen = Celery(set_as_current=False), []
    register(celery, run=seen.append)
    ref = JobRef.new()

    celery.tasks[TASK_NAME](str(ref))

    assert seen == [ref]


def test_what_is_no_reference_reaches_no_use_case() -> None:
    celery, seen = Celery(set_as_current=False), []
    register(celery, run=seen.append)

    with pytest.raises(ValueError, match="not a job reference"):
        celery.tasks[TASK_NAME]("../../etc")
    assert seen == []
