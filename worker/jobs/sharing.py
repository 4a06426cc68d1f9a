"""Work that several jobs need and that is done once: what it is called, and what is told of it.

Who leads and who follows is decided in Redis (``lua/sharing.lua``, ``Store.join``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, Literal

from worker.jobs.job import Job

# What a job is in its work. One that follows or reuses has nothing left to do for its worker.
Standing = Literal["leads", "follows", "reuses"]

# What of a result's ``samples`` was spent, and not by the job that shares the result.
_SPENT = ("images_scored", "model_calls")


def work_name(
    job: Job,
    *,
    segments_sha256: str | None,
    model: Mapping[str, Any],
    options: Mapping[str, Any],
    libraries: Mapping[str, str],
) -> str:
    """Name the work of a job: two jobs have the same if each could have the other's result.

    Parameters
    ----------
    segments_sha256 : str or None
        Digest of the label map that was uploaded with the image.
    model : mapping
        All that decides what scores an image gets: version, tensors, preprocessing.
    options : mapping
        Every effective option, the seed included. JSON values, as ``model``.
    libraries : mapping of str to str
        Versions of what computes.

    Returns
    -------
    str
        64 hexadecimal digits. Neither the order of members nor that of overlays matters.
    """
    document = {
        "image": job.image.sha256,
        "segments": segments_sha256,
        "model": model,
        "options": options,
        "classes": job.request.classes,
        "overlays": sorted(_canonical(overlay) for overlay in job.request.overlays),
        "libraries": libraries,
    }
    return sha256(_canonical(document).encode()).hexdigest()


def without_costs(job: Job) -> Job:
    """Tell of a job that shares another's result what it cost itself: nothing but the wait."""
    if job.result is None:
        return job
    result = dict(job.result)
    if "samples" in result:
        result["samples"] = {**result["samples"], **dict.fromkeys(_SPENT, 0)}
    queued_s = max(0.0, (job.started_at or job.created_at) - job.created_at)
    result["timings"] = {**dict.fromkeys(result.get("timings", ()), 0.0), "queued_s": queued_s}
    return replace(job, result=result)


def _canonical(value: object) -> str:
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    # A default of 4 and a 4 that a client sent for a float, 4.0, mean the same.
    return int(value) if isinstance(value, float) and value.is_integer() else value
