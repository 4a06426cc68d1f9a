"""Problem details (RFC 9457) as the service sends them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldError:
    """One bad field of a request.

    Attributes
    ----------
    pointer : str
        Where it is, as a JSON pointer (RFC 6901); empty for the request as a whole.
    detail : str
        What is wrong with it.
    """

    pointer: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Why a request was refused or a job failed.

    Attributes
    ----------
    type : str
        Path that names the kind, such as ``/problems/unknown-model``.
    title, detail : str
        What kind of problem it is, and what it is here.
    status : int
        HTTP status.
    instance : str or None
        What it is about.
    errors : tuple of FieldError
        The fields to correct, where single ones can be named.
    stage, retryable, grpc_status
        Of a failed job: where it failed, whether the same job may succeed later, and the model
        server's status code. None elsewhere.
    raw : mapping
        The document as it came, with whatever this version does not know.
    """

    type: str
    title: str
    detail: str
    status: int
    instance: str | None = None
    errors: tuple[FieldError, ...] = ()
    stage: str | None = None
    retryable: bool | None = None
    grpc_status: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def slug(self) -> str:
        """Last part of the type: ``unknown-model``."""
        return self.type.rsplit("/", 1)[-1]

    def __str__(self) -> str:
        """Title and detail as one sentence each, and the bad fields if there are several."""
        text = f"{self.title}: {self.detail}" if self.detail else self.title
        if len(self.errors) > 1:
            text += "".join(f"\n  {item.pointer or '/'}: {item.detail}" for item in self.errors)
        return text

    @classmethod
    def from_json(cls, document: Mapping[str, Any], *, status: int = 0) -> Problem:
        """Read a document; what is missing is filled from the answer's status.

        Parameters
        ----------
        document : mapping
        status : int
            Status of the answer that carried it.
        """
        errors = document.get("errors")
        own_status = document.get("status")
        return cls(
            type=str(document.get("type") or "about:blank"),
            title=str(document.get("title") or f"Status {status}"),
            detail=str(document.get("detail") or ""),
            status=own_status if isinstance(own_status, int) else status,
            instance=document.get("instance"),
            errors=tuple(
                FieldError(pointer=str(item.get("pointer", "")), detail=str(item.get("detail", "")))
                for item in (errors if isinstance(errors, list) else ())
                if isinstance(item, Mapping)
            ),
            stage=document.get("stage"),
            retryable=document.get("retryable"),
            grpc_status=document.get("grpc_status"),
            raw=document,
        )
