"""What a request may say, and how a validation error is told in the client's own terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
)
from pydantic_core import ErrorDetails

from web.errors import FieldError, InvalidRequest, pointer_to
from worker.explain.options import (
    MAX_EXPLAINED_CLASSES,
    ExplanationOptions,
    Options,
    Picture,
    Style,
    TopClasses,
)
from worker.explain.presets import PRESETS, STYLES
from worker.jobs.job import WEBHOOK_EVENTS, QueueName

MIN_RETENTION_S = 60
M = TypeVar("M", bound=BaseModel)


def _known_preset(name: str) -> str:
    if name not in PRESETS:
        raise ValueError(f"there is no such preset; those that exist: {', '.join(PRESETS)}")
    return name


def _known_event(name: str) -> str:
    if name not in WEBHOOK_EVENTS:
        raise ValueError(f"there is no such event; those that exist: {', '.join(WEBHOOK_EVENTS)}")
    return name


def _is_class(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("must be a class index (an integer) or a class name (a string)")
    if isinstance(value, int) and not 0 <= value < 2**31:
        raise ValueError("must be a class index: an integer of 0 or more")
    return value


def _is_overlay(value: Any) -> Any:
    if not isinstance(value, str | dict):
        raise ValueError(f"must be a style ({', '.join(STYLES)}) or an object with one")
    return value


def _as_it_is(value: Any) -> Any:
    return value


# What is checked elsewhere is told to the schema by ``json_schema_input_type``.
Class = Annotated[
    int | str,
    BeforeValidator(_is_class, json_schema_input_type=Annotated[int, Field(ge=0, lt=2**31)] | str),
]
Classes = Annotated[
    Annotated[TopClasses, Tag("object")]
    | Annotated[
        list[Class],
        Tag("list"),
        Field(min_length=1, max_length=MAX_EXPLAINED_CLASSES),
    ],
    Discriminator(
        lambda value: "list" if isinstance(value, list | tuple) else "object",
    ),
]
Overlay = Annotated[
    str | dict[str, Any], BeforeValidator(_is_overlay, json_schema_input_type=Style | Picture)
]
OptionsOverPreset = Annotated[
    dict[str, Any], BeforeValidator(_as_it_is, json_schema_input_type=ExplanationOptions)
]
Preset = Annotated[
    str, AfterValidator(_known_preset), Field(json_schema_extra={"enum": list(PRESETS)})
]
WebhookEvent = Annotated[
    str, AfterValidator(_known_event), Field(json_schema_extra={"enum": list(WEBHOOK_EVENTS)})
]
MetadataKey = Annotated[str, Field(min_length=1, max_length=64)]
MetadataValue = Annotated[str, Field(max_length=500)]


class RequestModel(Options):
    """Base of the bodies and queries that clients send."""


class WebhookFields(RequestModel):
    """Who is told what becomes of a job. Where that may be is the tenant's and not said here."""

    url: str = Field(description="Where to send a POST; https, and no internal address.")
    events: list[WebhookEvent] | None = Field(
        None,
        min_length=1,
        max_length=len(WEBHOOK_EVENTS),
        description="What to tell; if null everything.",
    )


class JobFields(RequestModel):
    """A job request without its image. Everything has a default.

    ``options`` and ``overlays`` are laid over the preset and checked there.
    """

    model: str | None = Field(
        None,
        description="A configured model; if null the only one, or the operator's default.",
    )
    version: int | None = Field(
        None,
        ge=1,
        le=2**63 - 1,
        description="A servable version; if null the one that is served when the job starts.",
    )
    classes: Classes = Field(
        default_factory=TopClasses,
        description="Those with the highest scores, or a list of class indices or names.",
    )
    preset: Preset = Field("default", description="What the options and overlays start from.")
    options: OptionsOverPreset = Field(
        default_factory=dict, description="Options of the explanation, over those of the preset."
    )
    overlays: list[Overlay] | None = Field(
        None,
        max_length=len(STYLES),
        description="Pictures to draw, each a style or an object; if null those of the preset.",
    )
    webhook: WebhookFields | None = Field(
        None, description="An address of yours that is told of the job's start and end."
    )
    queue: QueueName = Field("interactive", description="`bulk` waits behind `interactive`.")
    retention_s: int | None = Field(
        None,
        ge=MIN_RETENTION_S,
        description="Seconds that the job is kept after its end; the operator sets the longest.",
    )
    metadata: dict[MetadataKey, MetadataValue] = Field(
        default_factory=dict, max_length=20, description="Your own; it comes back with the job."
    )


class Base64Data(RequestModel):
    """A file inside a JSON document."""

    base64: str = Field(description="The file's bytes, in base64 without line breaks.")


class ImageUrl(RequestModel):
    """Where the image is. Refused unless the operator allows hosts."""

    url: str = Field(
        description="Where to fetch the file from; https, at a host that the operator allows. What "
        "it holds at that moment is kept, as if it had been sent."
    )


def _kind_of_image(value: Any) -> str:
    """Name the model of an image; what is neither is told of the usual one."""
    if isinstance(value, Mapping):
        return ImageUrl.__name__ if "url" in value and "base64" not in value else _INLINE
    return ImageUrl.__name__ if isinstance(value, ImageUrl) else _INLINE


_INLINE = Base64Data.__name__
ImageData = Annotated[
    Annotated[Base64Data, Tag(_INLINE)] | Annotated[ImageUrl, Tag(ImageUrl.__name__)],
    Discriminator(_kind_of_image),
]


class JsonBody(JobFields):
    """A job request as one JSON document."""

    image: ImageData = Field(description="A PNG, JPEG or WebP file.")
    segments: Base64Data | None = Field(
        None, description="A label map of the image's size, for the segmentation `custom`."
    )


def validate(model: type[M], document: Any, *, text: bool = False) -> M:
    """Check a document against a model.

    Parameters
    ----------
    model : type
    document : object
        JSON values; with ``text``, values that came as text are read by the type of their field.
    text : bool

    Raises
    ------
    InvalidRequest
        Naming every bad field by its JSON pointer.
    """
    if not isinstance(document, Mapping):
        raise InvalidRequest.at("", "must be a JSON object")
    try:
        return model.model_validate(document, strict=False if text else None)
    except ValidationError as error:
        raise InvalidRequest(field_errors(error, model=model, document=document)) from error


def field_errors(
    error: ValidationError,
    *,
    model: type[BaseModel],
    document: Any,
    prefix: Sequence[str | int] = (),
) -> list[FieldError]:
    """Tell a validation error by the client's fields, at places in the client's document."""
    return [
        FieldError(
            pointer=pointer_to((*prefix, *_place(found["loc"], document, found["type"]))),
            detail=_say(found, model),
        )
        for found in error.errors(include_url=False, include_input=False)
    ]


def _place(loc: tuple[str | int, ...], document: Any, kind: str) -> tuple[str | int, ...]:
    """Drop from pydantic's location what the client did not write: the tags of unions."""
    place: list[str | int] = []
    here = document
    for part in loc:
        if (isinstance(here, Mapping) and part in here) or (
            isinstance(here, Sequence) and isinstance(part, int)
        ):
            place.append(part)
            here = here[part]  # type: ignore[index]
        elif part is loc[-1] and kind == "missing":
            place.append(part)
    return tuple(place)


# What pydantic finds, in our words; its own are kept for what is not listed.
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "missing": "is required",
        "literal_error": "must be one of those that exist: {expected}",
        "union_tag_invalid": "no such method; those that exist: {expected_tags}",
        "union_tag_not_found": "name one with {discriminator}",
        "value_error": "{error}",
        "model_type": "must be an object",
        "model_attributes_type": "must be an object",
        "dict_type": "must be an object",
    }
)


def _say(found: ErrorDetails, model: type[BaseModel]) -> str:
    if found["type"] == "extra_forbidden":
        known = ", ".join(_fields_at(model, found["loc"][:-1]))
        return f"unknown field; those that exist: {known}"
    if found["type"] in _WORDS:
        return _WORDS[found["type"]].format(**found.get("ctx", {}))
    return found["msg"].replace("Input should be", "must be")


def _fields_at(model: type[BaseModel], loc: Sequence[str | int]) -> Iterable[str]:
    """Names of the fields of the model that stands at a location."""
    candidates: list[type[BaseModel]] = [model]
    for part in loc:
        inner = [
            found
            for candidate in candidates
            if part in candidate.model_fields
            for found in _models_in(candidate.model_fields[str(part)].annotation)
        ]
        tagged = [candidate for candidate in candidates if part in _tags_of(candidate)]
        candidates = inner or tagged or candidates
    return candidates[0].model_fields


def _models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _tags_of(model: type[BaseModel]) -> tuple[Any, ...]:
    method = model.model_fields.get("method")
    return get_args(method.annotation) if method is not None else (model.__name__,)
