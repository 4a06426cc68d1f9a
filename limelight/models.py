"""What the service answers, typed. A field that this version does not know stands in ``raw``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from limelight.problems import Problem
from limelight.reading import each, known_fields, moment, plain, read
from limelight.trust import ResultWarning, Trust

TERMINAL = frozenset({"succeeded", "failed", "canceled", "expired"})


@dataclass(frozen=True, kw_only=True, slots=True)
class JobModel:
    """The model of a job; version and signature are known once a worker has started it."""

    name: str
    version: int | None = None
    signature: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a job is. It may end below its limit: sampling stops when the answer is settled."""

    stage: str = "queued"
    samples_done: int = 0
    samples_limit: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """A class score of the model for the whole image."""

    class_index: int
    class_name: str | None = None
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Fidelity:
    """How well the surrogate follows the model: on its own samples, and on samples left out."""

    r2: float | None = None
    press_r2: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A segment and what showing it does to the class score.

    Attributes
    ----------
    segment : int
        Its number in the label map.
    attribution, standard_error, sign_confidence : float
        In units of the score; the last as a probability. None where not computed.
    area : float
        Share of the upload's pixels.
    bbox : tuple of int
        Left, top, right, bottom in pixels of the upload, the end exclusive.
    """

    segment: int
    attribution: float
    standard_error: float | None = None
    sign_confidence: float | None = None
    area: float | None = None
    bbox: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """One explained class.

    Attributes
    ----------
    relative_error : float or None
        How far all attributions together may be off, as a share of their length.
    settled, certified : bool or None
        Whether the top five segments are right at 95%; the same corrected for the number of
        comparisons. None where it was not computed, or where hiding did not change the score.
    control_variates : str or None
        ``"interactions"`` where what segments do together was used to lower the standard errors,
        else ``"none"``. None from a service that does not know it.
    score_kind, score_scale : str or None
        What the score is (``"probability"`` or ``"score"``), and what attributions are in
        (the same, or ``"logit"`` for log-odds).
    trust : Trust
        Summed up from the warnings about it and its figures.
    overlays : mapping of str to str
        Style to the path of its picture.
    """

    class_index: int
    score: float
    class_name: str | None = None
    intercept: float | None = None
    surrogate_score: float | None = None
    fidelity: Fidelity = field(default_factory=Fidelity)
    relative_error: float | None = None
    settled: bool | None = None
    certified: bool | None = None
    stability: Mapping[str, float | None] | None = None
    control_variates: str | None = None
    score_kind: str | None = None
    score_scale: str | None = None
    trust: Trust = field(default_factory=Trust)
    insertion_deletion: Mapping[str, Any] | None = None
    top_segments: tuple[Segment, ...] = ()
    overlays: Mapping[str, str] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job as the service last told it.

    ``image``, ``samples``, ``segments``, ``options`` and ``timings`` are as in the contract;
    times are aware datetimes. ``predictions`` and ``explanations`` are empty until it succeeded.
    ``computed_by`` is the id of the job whose result this one shares, None if it did the work.
    ``retry_after_s`` is how long the service asked to wait before the next poll.
    """

    id: str
    status: str
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    model: JobModel | None = None
    progress: Progress = field(default_factory=Progress)
    attempts: int = 0
    waiting_for: str | None = None
    computed_by: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    image: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[ResultWarning, ...] = ()
    hidden_score: Mapping[str, float] | None = None
    predictions: tuple[Prediction, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    samples: Mapping[str, Any] = field(default_factory=dict)
    segments: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, float | None] = field(default_factory=dict)
    error: Problem | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended. A job that has ended never changes again."""
        return self.status in TERMINAL

    @property
    def succeeded(self) -> bool:
        """Whether it ended with a result."""
        return self.status == "succeeded"

    @classmethod
    def from_json(cls, document: Any) -> Job:
        """Read a job.

        Raises
        ------
        BadAnswer
            If it is not one.
        """
        return read("a job", _job, document)


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A configured model as its server last showed itself.

    Attributes
    ----------
    input_size : tuple of int or None
        Height and width.
    labels : tuple of str or None
        Class names by index; only where one model was asked for.
    problem : str or None
        Why it is not available.
    warnings : tuple of str
        What makes one doubt that it is configured rightly, though it works.
    """

    name: str
    state: str
    version: int | None = None
    signature: str | None = None
    input_size: tuple[int, int] | None = None
    channels: int | None = None
    dtype: str | None = None
    class_count: int | None = None
    labels: tuple[str, ...] | None = None
    problem: str | None = None
    warnings: tuple[str, ...] = ()
    seen_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_json(cls, document: Any) -> Model:
        """Read a model; raises BadAnswer if it is not one."""
        return read("a model", _model, document)


def _job(document: Mapping[str, Any]) -> Job:
    known = known_fields(Job, document)
    for name in ("created_at", "started_at", "finished_at", "expires_at"):
        known[name] = moment(document.get(name))
    if "model" in known:
        known["model"] = plain(JobModel, known["model"])
    if "progress" in known:
        known["progress"] = plain(Progress, known["progress"])
    if "error" in known:
        known["error"] = Problem.from_json(known["error"])
    known["warnings"] = each(ResultWarning, document.get("warnings"))
    known["predictions"] = each(Prediction, document.get("predictions"))
    known["explanations"] = tuple(map(_explanation, document.get("explanations") or ()))
    return Job(**known, raw=document)


def _explanation(document: Mapping[str, Any]) -> Explanation:
    known = known_fields(Explanation, document)
    known["fidelity"] = plain(Fidelity, document.get("fidelity") or {})
    known["trust"] = Trust.from_json(document.get("trust") or {})
    known["top_segments"] = tuple(map(_segment, document.get("top_segments") or ()))
    return Explanation(**known, raw=document)


def _segment(document: Mapping[str, Any]) -> Segment:
    known = known_fields(Segment, document)
    if "bbox" in known:
        left, top, right, bottom = known["bbox"]
        known["bbox"] = (left, top, right, bottom)
    return Segment(**known)


def _model(document: Mapping[str, Any]) -> Model:
    known = known_fields(Model, document)
    for name in ("input_size", "labels", "warnings"):
        if name in known:
            known[name] = tuple(known[name])
    known["seen_at"] = moment(document.get("seen_at"))
    return Model(**known, raw=document)
