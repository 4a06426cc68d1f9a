"""What all parts of a profile have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ProfilePart(BaseModel):
    """Base of all parts of a profile: unknown keys are refused, nothing is coerced or changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
