"""A job as the API answers it, as types: ``web.job_view`` makes them, ``web.openapi`` shows them.

A member that came later than the first version is ``NotRequired``: what workers wrote is kept, and
shown as it was written.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import BeforeValidator, Field

# pydantic reads that of the standard library from Python 3.12 on alone.
from typing_extensions import TypedDict

from web.trust_documents import ResultWarning, Trust
from worker.explain.options import (
    AttributionScale,
    ControlVariates,
    ExplanationOptions,
    Sampler,
    ScoreKind,
    StoppedBy,
)
from worker.jobs.job import Status


def _as_it_is(value: Any) -> Any:
    return value


JobId = Annotated[str, Field(pattern=r"^exp_[0-9a-f]{32}$")]
Timestamp = Annotated[
    str, Field(description="RFC 3339 in UTC.", json_schema_extra={"format": "date-time"})
]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Path = Annotated[str, Field(description="A path on this server.", pattern="^/")]
Score = Annotated[float, Field(description="The model's score of a class.")]
ClassIndex = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Options = Annotated[
    dict[str, Any], BeforeValidator(_as_it_is, json_schema_input_type=ExplanationOptions)
]


class Failure(TypedDict):
    """Why a job failed: problem details, and where it happened."""

    type: Annotated[str, Field(description="Path of a page that says what to do.")]
    title: str
    status: Annotated[int, Field(description="As of the same failure of a single request.")]
    detail: str
    instance: str
    stage: Annotated[str, Field(description="What the worker was doing.")]
    retryable: Annotated[bool, Field(description="Whether the same job may succeed later.")]
    grpc_status: Annotated[str | None, Field(description="What the model server said.")]


class JobModel(TypedDict):
    """The model of a job; version and signature are settled once it starts."""

    name: str
    version: int | None
    signature: str | None


class SummaryModel(TypedDict):
    """The model that a job asked for."""

    name: str


class Progress(TypedDict):
    """How far a job is. It may end below the limit, when the answer is settled."""

    stage: str
    samples_done: Count
    samples_limit: Annotated[int, Field(ge=0, description="0 before the first sample is scored.")]


class Image(TypedDict):
    """The upload: digest of its bytes, size in pixels after EXIF orientation."""

    sha256: Sha256
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]


class Prediction(TypedDict):
    """One of the five classes with the highest scores on the untouched image."""

    class_index: ClassIndex
    class_name: str | None
    score: Score


class Fidelity(TypedDict):
    """How well the surrogate follows the model; `press_r2` on samples that it was not fitted to."""

    r2: float | None
    press_r2: float | None


class Stability(TypedDict):
    """Overlap of the top five segments of two fits to independent halves of the samples."""

    jaccard_at_5: float | None


class TopSegment(TypedDict):
    """A segment with one of the largest attributions."""

    segment: Annotated[
        int, Field(ge=0, description="Its number in `segments.png`, or your own label map.")
    ]
    attribution: Annotated[float, Field(description="What it adds to the score, by itself.")]
    standard_error: float | None
    sign_confidence: float | None
    area: Annotated[float, Field(ge=0, le=1, description="Share of the upload's pixels.")]
    bbox: Annotated[
        list[int] | None,
        Field(
            min_length=4,
            max_length=4,
            description="Left, top, right, bottom in pixels of the upload, the end exclusive.",
        ),
    ]


class InsertionDeletion(TypedDict):
    """Mean score while segments are shown, or hidden, from the strongest on; and in random order.

    Measured where it was asked for.
    """

    insertion_auc: float
    deletion_auc: float
    random_auc: float


class Explanation(TypedDict):
    """Why the model gives one class its score."""

    class_index: ClassIndex
    class_name: str | None
    score: Score
    intercept: Annotated[float, Field(description="The surrogate's value with nothing shown.")]
    surrogate_score: Annotated[float, Field(description="The same with everything shown.")]
    fidelity: Fidelity
    relative_error: NotRequired[
        Annotated[
            float | None,
            Field(ge=0, description="How far all attributions may be off: share of their length."),
        ]
    ]
    settled: Annotated[
        bool | None, Field(description="Whether the top five segments are right at 95%.")
    ]
    certified: NotRequired[
        Annotated[
            bool | None,
            Field(description="The same, corrected for the number of comparisons."),
        ]
    ]
    stability: Stability
    control_variates: NotRequired[
        Annotated[
            ControlVariates,
            Field(description="Whether what segments do together was used to lower the errors."),
        ]
    ]
    score_kind: NotRequired[
        Annotated[
            ScoreKind,
            Field(description="What `score` is: a `probability` only if those of all classes are."),
        ]
    ]
    score_scale: Annotated[
        AttributionScale,
        Field(description="What attributions are in: `score_kind`, or `logit` for log-odds."),
    ]
    trust: NotRequired[Trust]
    insertion_deletion: InsertionDeletion | None
    top_segments: Annotated[list[TopSegment], Field(max_length=10)]
    overlays: Annotated[dict[str, Path], Field(description="Pictures by style.")]


class Samples(TypedDict):
    """The perturbed images, and what they cost. What is not known yet is null."""

    used: Count | None
    limit: Count
    stopped_by: NotRequired[
        Annotated[
            StoppedBy | None,
            Field(
                description="The stopping rule that was met; `unchanged`: hiding moved no score, "
                "and more samples would tell nothing; `limit`: all samples were drawn."
            ),
        ]
    ]
    sampler: Sampler
    seed: Count
    images_scored: Count | None
    model_calls: Count | None


class Segments(TypedDict):
    """The segmentation."""

    count: Count | None
    sha256: Sha256 | None


class Timings(TypedDict):
    """Where the time went, in seconds."""

    queued_s: Seconds | None
    segment_s: Seconds | None
    predict_s: Seconds | None
    fit_s: Seconds | None
    draw_s: Seconds | None


class JobLinks(TypedDict):
    """Paths of what there is: `cancel` and `events` until the end, pictures' data from it."""

    self: Path
    image: Path
    cancel: NotRequired[Path]
    events: NotRequired[Path]
    attributions: NotRequired[Path]
    segments: NotRequired[Path]
    evidence: NotRequired[Path]
    webhook: NotRequired[Path]


class JobSummary(TypedDict):
    """A job in a list."""

    id: JobId
    status: Status
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    expires_at: Annotated[Timestamp | None, Field(description="When it will be erased.")]
    model: SummaryModel
    progress: Progress
    attempts: Count
    metadata: dict[str, str]
    image: Image
    error: Failure | None
    links: JobLinks


class Job(TypedDict):
    """A job. What is not computed is null; one that has ended never changes again."""

    id: JobId
    status: Status
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    expires_at: Annotated[Timestamp | None, Field(description="When it will be erased.")]
    model: JobModel
    progress: Progress
    attempts: Annotated[int, Field(ge=0, description="How often a worker has started it.")]
    waiting_for: Annotated[
        str | None,
        Field(
            description="Why a queued job that was taken already waits again: `model-busy` (other "
            "jobs have all the calls that the model takes), `model-unavailable` (its server "
            "cannot be used), `storage` or `memory`."
        ),
    ]
    computed_by: Annotated[JobId | None, Field(description="The job whose result this one shares.")]
    metadata: dict[str, str]
    image: Image
    warnings: Annotated[
        list[ResultWarning],
        Field(description="What speaks against the answer, or is worth knowing before it is read."),
    ]
    hidden_score: Annotated[
        dict[str, float] | None,
        Field(description="By class index, the score with every segment hidden."),
    ]
    predictions: Annotated[list[Prediction], Field(max_length=5)] | None
    explanations: list[Explanation] | None
    samples: Samples
    segments: Segments
    options: Options
    timings: Timings
    error: Failure | None
    links: JobLinks


class JobPage(TypedDict):
    """Some jobs, newest first."""

    explanations: list[JobSummary]
    next: Annotated[str | None, Field(description="The `cursor` of the next page, if any.")]
