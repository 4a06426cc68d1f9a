"""Find out whether somebody else does, or has done, the work of a job.

Only a worker can tell, and only once the model's version is resolved: until then, two requests for
"the model" may mean different ones.
"""

from __future__ import annotations

from dataclasses import asdict
from hashlib import sha256
from typing import Literal

import structlog

from worker.explain.options import ExplanationOptions
from worker.heartbeat import Interrupted
from worker.jobs.job import Job, upload_segments_key
from worker.jobs.sharing import work_name
from worker.jobs.store import Claim
from worker.ports import Ports
from worker.serving.resolved import ResolvedModel

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# What a process has learned of a model so far. It decides how a model is called, not its scores.
_LEARNED = frozenset({"class_count", "batch_size"})


class WorkShared(Interrupted):
    """The job follows another, or has ended with another's result: nothing is left to do.

    Attributes
    ----------
    standing : str
        ``"follows"`` or ``"reuses"``.
    """

    def __init__(self, standing: Literal["follows", "reuses"]) -> None:
        super().__init__(standing)
        self.standing: Literal["follows", "reuses"] = standing


def share_work(claim: Claim, model: ResolvedModel, *, ports: Ports) -> None:
    """Go on if this job is to do its work, for itself and for whoever comes while it does.

    Raises
    ------
    WorkShared
        If it is not. The claim has ended.
    """
    if not ports.reuse_results:
        return
    name = _name(claim.job, model, ports)
    standing = ports.store.join(claim, name)
    if standing == "leads":
        return
    log.info("work shared", standing=standing, work=name[:12])
    raise WorkShared(standing)


def work_alone(claim: Claim, *, ports: Ports) -> None:
    """Do the job's work for itself from here on: it is no longer what it was named for."""
    if ports.reuse_results:
        ports.store.join(claim, None)


def _name(job: Job, model: ResolvedModel, ports: Ports) -> str:
    segments = None
    if job.request.has_segments:
        segments = sha256(ports.blobs.get(upload_segments_key(job.ref))).hexdigest()
    options = ExplanationOptions.model_validate(dict(job.request.options))
    return work_name(
        job,
        segments_sha256=segments,
        model={name: value for name, value in asdict(model).items() if name not in _LEARNED},
        # Options that came after the record was written get their default.
        options=options.model_dump(mode="json"),
        libraries=ports.libraries,
    )
