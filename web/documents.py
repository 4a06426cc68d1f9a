"""What the API answers besides jobs, as types: the views make them, ``web.openapi`` shows them."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from web.job_documents import ClassIndex, Path, Score, Segments, Timestamp
from web.principal import Scope
from worker.explain.options import AttributionScale, ScoreKind


class FieldProblem(TypedDict):
    """One field to correct."""

    pointer: Annotated[str, Field(description="JSON pointer (RFC 6901) to the field.")]
    detail: str


class Problem(TypedDict):
    """Problem details (RFC 9457)."""

    type: Annotated[str, Field(description="Path of a page that says what to do.")]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    instance: NotRequired[Annotated[str, Field(description="Path of what was asked for.")]]
    errors: NotRequired[list[FieldProblem]]


class ProblemPage(TypedDict):
    """A problem type and what to do about it."""

    type: Path
    title: str
    status: int
    advice: str


class ModelLinks(TypedDict):
    """Paths."""

    self: Path


class Model(TypedDict):
    """A configured model, as a worker last saw it."""

    name: str
    state: Literal["available", "unavailable"]
    version: int | None
    signature: str | None
    input_size: Annotated[
        list[int] | None, Field(min_length=2, max_length=2, description="Height, width in pixels.")
    ]
    channels: int | None
    dtype: str | None
    class_count: int | None
    problem: Annotated[str | None, Field(description="Why it is unavailable, and the cure.")]
    warnings: Annotated[
        list[str],
        Field(description="What makes one doubt that it is configured rightly, though it works."),
    ]
    seen_at: Timestamp
    links: ModelLinks
    labels: NotRequired[
        Annotated[list[str] | None, Field(description="Class names by index; not in the list.")]
    ]


class ModelList(TypedDict):
    """The configured models, by name."""

    models: list[Model]


class ClassAttributions(TypedDict):
    """Every attribution of one class, in the order of `segment_numbers`."""

    class_index: ClassIndex
    class_name: str | None
    score: Score
    score_kind: NotRequired[ScoreKind]
    score_scale: AttributionScale
    intercept: float
    attributions: list[float]
    standard_errors: list[float] | None
    sign_confidence: list[float] | None


class Attributions(TypedDict):
    """`attributions.json`: every figure of every segment."""

    width: int
    height: int
    segments: Segments
    segment_numbers: NotRequired[
        Annotated[
            list[int],
            Field(
                description="The number in `segments.png` of each segment, in the order of `areas` "
                "and of all figures: its label in your own label map, or 0, 1, 2, …"
            ),
        ]
    ]
    areas: Annotated[list[float], Field(description="Shares of the upload's pixels.")]
    classes: list[ClassAttributions]


class SessionView(TypedDict):
    """Who is signed in."""

    tenant: str
    scopes: list[Scope]
    key_id: str | None
    csrf_token: Annotated[
        str | None, Field(description="To be sent in X-CSRF-Token by whatever changes something.")
    ]
    expires_at: Timestamp | None


class ShareLink(TypedDict):
    """A link that shows one job to whoever has it."""

    url: Path
    token: str
    expires_at: Timestamp


class Live(TypedDict):
    """The process is up."""

    live: Literal[True]


class SeenWorker(TypedDict):
    """A worker and when it last showed itself."""

    name: str
    seen_at: Timestamp


class Backlog(TypedDict):
    """The jobs that wait in a queue."""

    depth: Annotated[int, Field(ge=0)]
    oldest_s: Annotated[float, Field(ge=0, description="For how long the oldest has waited.")]


class Ready(TypedDict):
    """Jobs can be accepted. What is wrong all the same is listed, and is no condition."""

    ready: Literal[True]
    problems: Annotated[list[str], Field(description="Sentences for whoever runs the service.")]
    queues: dict[str, Backlog]
    workers: list[SeenWorker]
