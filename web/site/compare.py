"""Two explanations side by side: what is set against what, and what may be concluded from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from web.errors import InvalidRequest
from web.job_view import job_view
from web.site.job_page import ClassView, JobPage, job_page
from worker.jobs.job import Job


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One class of one job."""

    job: JobPage
    shown: ClassView
    sha256: str
    segments_sha256: str | None
    segments_count: int | None
    score_scale: str

    @property
    def value(self) -> str:
        """How an address names it."""
        return f"{self.job.id}:{self.shown.index}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """How two explanations can be compared.

    Attributes
    ----------
    mode : str
        ``segments``: each segment with itself; ``pixels``: by what each pixel's segment has for its
        area; ``none``: not at all beyond seeing them side by side.
    common_scale : bool
        Whether the attributions are in the same units.
    remarks : tuple of str
        What to keep in mind, a sentence each.
    """

    mode: Literal["segments", "pixels", "none"]
    common_scale: bool
    remarks: tuple[str, ...]


def side(job: Job, index: str, *, now: float, parameter: str, prefix: str) -> Side:
    """Return one side.

    Parameters
    ----------
    job : Job
    index : str
        Of the class, as text; empty takes the first.
    now : float
        Unix seconds.
    parameter : str
        Name of the part of the address that is to be corrected, if any.
    prefix : str
        What all paths begin with.

    Raises
    ------
    InvalidRequest
        If the job has no result or did not explain that class.
    """
    if job.result is None:
        raise InvalidRequest.at(
            f"/{parameter}", f"names a job that is {job.status} and has no result"
        )
    seen = job_page(job, now=now, prefix=prefix)
    explained: Sequence[Mapping[str, Any]] = job_view(job, prefix=prefix)["explanations"] or ()
    for shown, one in zip(seen.classes, explained, strict=True):
        if index in ("", str(shown.index)):
            return Side(
                job=seen,
                shown=shown,
                sha256=job.image.sha256,
                segments_sha256=job.result["segments"]["sha256"],
                segments_count=job.result["segments"]["count"],
                score_scale=one["score_scale"],
            )
    known = ", ".join(str(shown.index) for shown in seen.classes)
    raise InvalidRequest.at(f"/{parameter}", f"names a class that the job did not explain: {known}")


def verdict(a: Side | None, b: Side | None) -> Verdict | None:
    """Say how two sides can be compared; None until there are two."""
    if a is None or b is None:
        return None
    remarks = []
    if a.sha256 != b.sha256:
        remarks.append("These are explanations of two different images.")
    common = a.score_scale == b.score_scale
    if not common:
        remarks.append(
            f"One explains the {a.shown.unit} and the other the {b.shown.unit}, which are "
            "different units: each has a scale of its own, and there is no difference to show."
        )
    if a.job.size != b.job.size:
        remarks.append(
            "The images differ in size, so there are no pixels to set against each other."
        )
    if not common or a.job.size != b.job.size:
        return Verdict(mode="none", common_scale=common, remarks=tuple(remarks))
    if (a.segments_sha256, a.segments_count) == (b.segments_sha256, b.segments_count):
        return Verdict(mode="segments", common_scale=True, remarks=tuple(remarks))
    remarks.append(
        f"The segments differ ({a.segments_count} and {b.segments_count}), so that they cannot be "
        "set against each other one by one. Pixels are compared instead, each by the attribution "
        "that its segment has for one percent of the image: a segment must not count for more only "
        "because it is large."
    )
    return Verdict(mode="pixels", common_scale=True, remarks=tuple(remarks))
