"""How far to trust a result, as the API answers it, as types."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, WithJsonSchema

# pydantic reads that of the standard library from Python 3.12 on alone.
from typing_extensions import TypedDict

from worker.explain.result_warning import Severity, TrustLevel, WarningCode


class ResultWarning(TypedDict):
    """One thing that speaks against an answer, or that is worth knowing before it is read."""

    code: Annotated[
        WarningCode,
        # No enumeration: more codes may come, and clients made of the document would refuse them.
        WithJsonSchema({"type": "string", "examples": list(get_args(WarningCode))}),
        Field(
            description="What programs go by; more may come. `other`: of a result that is older "
            "than codes."
        ),
    ]
    severity: Annotated[Severity, Field(description="`critical`: do not read this answer.")]
    class_index: Annotated[
        int | None, Field(ge=0, description="The class that it is about; null for all.")
    ]
    text: Annotated[str, Field(description="What is the matter, with the figures.")]
    cure: Annotated[str, Field(description="What to change; empty where nothing can be.")]


class TrustReason(TypedDict):
    """A figure that no warning is about, in words."""

    level: Literal["good", "fair", "unknown"]
    title: str
    text: str


class Trust(TypedDict):
    """How far to trust the explanation of one class: the warnings about it, and these reasons."""

    level: Annotated[
        TrustLevel,
        Field(
            description="`none`: a warning about it is critical. `poor`: there is a warning. "
            "`fair`: there is none, but something is middling or not known."
        ),
    ]
    reasons: list[TrustReason]
