"""What the description of an operation consists of, beyond what its route says by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

JSON = "application/json"
FORM = "multipart/form-data"

# Of problem types that come with two statuses, the other one.
MALFORMED = ("invalid-request", 400)


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A value, or a command, that works as it stands; the tests send it."""

    summary: str
    value: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """What a request carries.

    Attributes
    ----------
    content : mapping
        By media type, the model that checks it.
    examples : mapping of str to Example
        JSON bodies by name.
    is_required : bool
    """

    content: Mapping[str, type[BaseModel]]
    examples: Mapping[str, Example] = field(default_factory=dict)
    is_required: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer that is no problem.

    Attributes
    ----------
    description : str
    body : type or None
        What its JSON is made by.
    media : tuple of str
        Media types of a body that is not JSON.
    headers : tuple of str
        Names in ``headers.RESPONSE``.
    example : object
    """

    description: str
    body: Any = None
    media: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    example: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """A method of a path.

    Attributes
    ----------
    id : str
        The name that generated clients give it.
    tag, summary, description : str
    answers : mapping of int to Answer
        By status.
    problems : tuple
        Slugs, or slugs with their status, of what only this operation answers.
    body : Body or None
    query : type or None
        The model that checks the query.
    headers : tuple of str
        Names in ``headers.REQUEST``.
    commands : tuple of Example
        curl commands.
    leads_to : tuple of str
        Ids of operations that take the job id of the first answer.
    """

    id: str
    tag: str
    summary: str
    description: str = ""
    answers: Mapping[int, Answer]
    problems: tuple[str | tuple[str, int], ...] = ()
    body: Body | None = None
    query: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()
    commands: tuple[Example, ...] = ()
    leads_to: tuple[str, ...] = ()
