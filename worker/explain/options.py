"""What may be asked of an explanation: every option, its bounds and its default.

The web process validates requests with these models and publishes them in its schema, so this
module imports pydantic alone: no numpy, no scikit-image. The functions behind the names live in
``segments``, ``samplers``, ``assessment`` (stopping), ``baselines``, ``proximity``, ``surrogate``,
``selection`` and ``overlays``; each of those keeps a registry, and a test holds every registry
equal to the names here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

MAX_SAMPLES = 10_000
MAX_SEGMENTS = 2_000
MAX_EXPLAINED_CLASSES = 20

PositiveFloat = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
Sigma = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class Options(BaseModel):
    """Base of what clients say: unknown fields are refused, values are not coerced or changed.

    A field that may be left out may be null, which means the same.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, document: Any) -> Any:
        return cls.given(document) if isinstance(document, Mapping) else document

    @classmethod
    def given(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a document without its optional fields that are null."""
        return {
            name: value
            for name, value in document.items()
            if value is not None
            or name not in cls.model_fields
            or cls.model_fields[name].is_required()
        }


def _method(value: Any) -> Any:
    """Let ``"black"`` stand for ``{"method": "black"}`` wherever a method takes no parameters."""
    return {"method": value} if isinstance(value, str) else value


# --- segmentation -----------------------------------------------------------------------------


class Slic(Options):
    """Clusters in colour and position (scikit-image ``slic``)."""

    method: Literal["slic"]
    n_segments: int | None = Field(
        None,
        ge=2,
        le=MAX_SEGMENTS,
        description="About how many segments to cut the image into. When left out, one for each "
        "thousand pixels of the model's input, from 25 to 50.",
    )
    compactness: PositiveFloat = Field(
        10.0, description="Higher: square segments; lower: segments that follow colours."
    )
    sigma: Sigma = Field(0.0, description="Smooths the image beforehand, in pixels.")
    slic_zero: bool = Field(
        False, description="Fit the compactness to each segment instead of using one for all."
    )


class Quickshift(Options):
    """Mode seeking in colour and position (scikit-image ``quickshift``)."""

    method: Literal["quickshift"]
    kernel_size: float = Field(
        4, ge=1, le=10, allow_inf_nan=False, description="Higher: fewer, larger segments."
    )
    max_dist: PositiveFloat = Field(
        200, description="How far apart colours may be in one segment; higher: fewer segments."
    )
    ratio: float = Field(
        0.2, ge=0, le=1, allow_inf_nan=False, description="Weight of colour against nearness."
    )
    signed_scale: bool = Field(
        False, description="Segment the image scaled to [-1, 1] rather than the uint8 image."
    )


class Felzenszwalb(Options):
    """Graph-based merging (scikit-image ``felzenszwalb``)."""

    method: Literal["felzenszwalb"]
    scale: PositiveFloat = Field(100.0, description="Higher: larger segments.")
    sigma: Sigma = Field(0.8, description="Smooths the image beforehand, in pixels.")
    min_size: int = Field(
        100, ge=1, le=1_000_000, description="Pixels of the smallest segment; smaller are merged."
    )


class Watershed(Options):
    """Compact watershed of the gradient from a regular grid of markers."""

    method: Literal["watershed"]
    n_segments: int = Field(
        50, ge=2, le=MAX_SEGMENTS, description="About how many segments to cut the image into."
    )
    compactness: float = Field(
        0.001, ge=0, le=1e6, allow_inf_nan=False, description="Higher: more regular segments."
    )


class Grid(Options):
    """Equal rectangles."""

    method: Literal["grid"]
    rows: int = Field(7, ge=1, le=64, description="Rectangles from top to bottom.")
    columns: int = Field(7, ge=1, le=64, description="Rectangles from left to right.")


class Custom(Options):
    """The label map uploaded with the job."""

    method: Literal["custom"]


Segmentation = Annotated[
    Annotated[
        Slic | Quickshift | Felzenszwalb | Watershed | Grid | Custom,
        Field(discriminator="method"),
    ],
    BeforeValidator(_method),
]

# --- baselines --------------------------------------------------------------------------------


class SegmentMean(Options):
    """A hidden segment shows its own mean colour, truncated to an integer."""

    method: Literal["segment-mean"]


class ImageMean(Options):
    """Hidden segments show the image's mean colour."""

    method: Literal["image-mean"]


class Black(Options):
    """Hidden segments are black."""

    method: Literal["black"]


class Grey(Options):
    """Hidden segments are mid grey (128)."""

    method: Literal["grey"]


class Colour(Options):
    """Hidden segments show one colour."""

    method: Literal["colour"]
    colour: str = Field(pattern=r"^#[0-9a-fA-F]{6}$", description="#rrggbb")


class Blur(Options):
    """Hidden segments show the blurred image."""

    method: Literal["blur"]
    sigma: PositiveFloat = Field(10.0, le=100, description="How strongly to blur, in pixels.")


Baseline = Annotated[
    Annotated[
        SegmentMean | ImageMean | Black | Grey | Colour | Blur, Field(discriminator="method")
    ],
    BeforeValidator(_method),
]

# --- surrogates -------------------------------------------------------------------------------


class Ridge(Options):
    """Weighted ridge regression with intercept; the weights are not normalised."""

    method: Literal["ridge"]
    alpha: float = Field(
        1.0, ge=0, le=1e6, allow_inf_nan=False, description="Higher: attributions nearer to zero."
    )


class NormalisedRidge(Options):
    """Weighted ridge with the weights scaled to sum 1 and a penalty of 1/N."""

    method: Literal["normalised-ridge"]


class Ols(Options):
    """Weighted least squares without a penalty."""

    method: Literal["ols"]


class Lasso(Options):
    """Weighted lasso: few segments get an attribution, the others zero."""

    method: Literal["lasso"]
    alpha: PositiveFloat = Field(0.001, description="Higher: fewer segments are left.")


class BayesianRidge(Options):
    """Weighted Bayesian ridge: the penalty is estimated from the samples."""

    method: Literal["bayesian-ridge"]


Surrogate = Annotated[
    Annotated[Ridge | NormalisedRidge | Ols | Lasso | BayesianRidge, Field(discriminator="method")],
    BeforeValidator(_method),
]

# --- names that take no parameters --------------------------------------------------------------

Sampler = Literal["orthogonal", "bernoulli", "antithetic", "random-rate", "lime"]
# Those that draw in blocks can go on until a stopping rule is met; the others draw all at once.
BLOCK_SAMPLERS: tuple[Sampler, ...] = ("orthogonal", "bernoulli", "antithetic")
# Those that take a keep probability; the others set their own.
RATED_SAMPLERS: tuple[Sampler, ...] = ("bernoulli", "antithetic")
KEEP_HALF = 0.5
Stopping = Literal["settled", "certified", "fixed"]
StoppedBy = Literal["settled", "certified", "unchanged", "limit"]
Distance = Literal["cosine", "hidden-share", "hidden-share-of-requested", "image", "uniform"]
Kernel = Literal["sqrt-exponential", "exponential"]
FeatureSelection = Literal["none", "lime-auto", "visualime"]
ControlVariates = Literal["interactions", "none"]
# What a score is, and what attributions are in: the option ``probability`` explains scores as they
# are, which need not be probabilities.
ScoreKind = Literal["probability", "score"]
AttributionScale = Literal["probability", "score", "logit"]
ScoreScale = Literal["probability", "logit"]
Style = Literal["boundaries", "highlight", "signed", "heatmap", "sheet"]


class ExplanationOptions(Options):
    """Every effective option of one explanation, defaults filled in."""

    segmentation: Segmentation = Field(
        default_factory=lambda: Slic(method="slic"),
        description="How the image is cut into the regions that get an attribution.",
    )
    sampler: Sampler = Field(
        "orthogonal",
        description="Which segments each perturbed image shows. orthogonal: balanced blocks, which "
        "need the fewest images; bernoulli: each by a coin; antithetic: the same, each image with "
        "its opposite; random-rate: a share that differs from image to image; lime: as the lime "
        "package draws them.",
    )
    samples: int = Field(
        1000,
        ge=2,
        le=MAX_SAMPLES,
        description="The most perturbed images to score. More give smaller errors and take longer.",
    )
    keep_probability: Share = Field(
        KEEP_HALF,
        description="How likely a segment is shown, for the samplers bernoulli and antithetic.",
    )
    stopping: Stopping = Field(
        "settled",
        description="When sampling ends before its limit: settled, once each of the top five "
        "segments is rightly there at 95% and all attributions are known within 15% together, of "
        "every class; certified, once all five are at 95% together, however often one looked; "
        "fixed, never.",
    )
    baseline: Baseline = Field(
        default_factory=lambda: SegmentMean(method="segment-mean"),
        description="What a hidden segment shows instead. It should not look like any class.",
    )
    distance: Distance = Field(
        "cosine",
        description="How far a perturbed image is from the whole one. uniform: all count the same.",
    )
    kernel: Kernel = Field(
        "sqrt-exponential", description="How the weight of a perturbed image falls with distance."
    )
    kernel_width: PositiveFloat = Field(
        0.25, description="Smaller: only images with little hidden count."
    )
    surrogate: Surrogate = Field(
        default_factory=lambda: Ridge(method="ridge"),
        description="The linear model whose coefficients are the attributions.",
    )
    feature_selection: FeatureSelection = Field(
        "none", description="Leave segments out before the fit, as two packages do."
    )
    num_features: int | None = Field(
        None,
        ge=1,
        le=MAX_SEGMENTS,
        description="Segments that a feature selection keeps; null: all of them for lime-auto, "
        "half of them for visualime.",
    )
    control_variates: ControlVariates = Field(
        "interactions",
        description="Lower the standard errors by what segments are seen to do together: the same "
        "attributions, from fewer images. Used wherever it helps and can be: samples in "
        "complementary pairs (orthogonal, antithetic), a distance that counts segments, and a "
        "surrogate that is linear in the scores.",
    )
    score_scale: ScoreScale = Field(
        "probability",
        description="Explain the score itself, or its log-odds (logit), which add up better.",
    )
    insertion_deletion: bool = Field(
        False,
        description="Also measure insertion and deletion AUC. Costs twice as many images as there "
        "are segments for each class, and three times as many for the random order.",
    )
    seed: int = Field(
        0, ge=0, le=2**32 - 1, description="The same seed gives the same answer, byte for byte."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> ExplanationOptions:
        if self.stopping != "fixed" and self.sampler not in BLOCK_SAMPLERS:
            raise ValueError(
                f"stopping {self.stopping!r} needs a sampler that can go on in blocks; "
                f"{self.sampler!r} draws all samples at once"
            )
        if self.keep_probability != KEEP_HALF and self.sampler not in RATED_SAMPLERS:
            raise ValueError(
                f"sampler {self.sampler!r} sets its own keep probability; leave keep_probability "
                f"at {KEEP_HALF} or use one of {', '.join(RATED_SAMPLERS)}"
            )
        if self.num_features is not None and self.feature_selection == "none":
            raise ValueError("num_features needs a feature_selection: 'lime-auto' or 'visualime'")
        if self.distance == "hidden-share-of-requested" and (
            getattr(self.segmentation, "n_segments", None) is None
        ):
            raise ValueError(
                "distance 'hidden-share-of-requested' needs a segmentation with n_segments; "
                "use 'hidden-share'"
            )
        return self


# --- classes and pictures ------------------------------------------------------------------------


class TopClasses(Options):
    """The classes with the highest scores on the untouched image."""

    top: int = Field(1, ge=1, le=MAX_EXPLAINED_CLASSES)


class Picture(Options):
    """One overlay: a style and how to draw it. At most one per style and job."""

    style: Style
    format: Literal["png", "webp"] = "png"
    max_side: int = Field(1024, ge=64, le=2048, description="Longest side in pixels.")
    top_k: int | None = Field(
        None,
        ge=1,
        le=MAX_SEGMENTS,
        description="Show the k segments with the largest |attribution|.",
    )
    coverage: Share | None = Field(
        None, description="Show the strongest segments that together cover this share of the image."
    )
    colours: Literal["green-red", "blue-orange"] = "green-red"
    outline: bool = Field(False, description="Outline shown segments; the sign is told by pattern.")
    colormap: Literal["auto", "viridis", "inferno", "cividis", "jet"] = "auto"
    positive_only: bool = False
    smoothing: Sigma = Field(0.0, description="Gaussian sigma in pixels of the model's input.")
    hide_rest: bool = Field(False, description="Black out what is not shown instead of dimming it.")

    @model_validator(mode="after")
    def _one_limit(self) -> Picture:
        if self.top_k is not None and self.coverage is not None:
            raise ValueError("give top_k or coverage, not both")
        return self
