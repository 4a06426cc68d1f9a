"""The Celery tasks. Each takes a reference and calls its use case; nothing else happens here."""

from __future__ import annotations

from collections.abc import Callable

from celery import Celery

from worker.jobs.job import JobRef
from worker.jobs.queue import TASK_NAME


def register(celery: Celery, *, run: Callable[[JobRef], object]) -> None:
    """Tell Celery what to do with a job's reference.

    Parameters
    ----------
    celery : Celery
    run : callable
        ``run_job`` with the ports of this process.
    """

    # Not shared: by default Celery would give the task to every other application as well.
    @celery.task(name=TASK_NAME, ignore_result=True, shared=False)  # type: ignore[untyped-decorator]
    def explain(ref: str) -> None:
        run(JobRef.parse(ref))
