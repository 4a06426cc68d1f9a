"""Requests as values, before anything is sent: what to ask, with which parts.

Bytes are held, not streams, so that every retry sends the same.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeAlias, TypedDict

from limelight.errors import BadSettings

JOBS = "/v1/explanations"
MODELS = "/v1/models"
_MAX_KEY = 255

ImageSource: TypeAlias = bytes | bytearray | memoryview | str | os.PathLike[str] | IO[bytes]


class JobFields(TypedDict, total=False):
    """What a job request may say beside its image; everything has a default in the service.

    ``classes`` as a number asks for the top ones; a list names indices or class names. ``webhook``
    as text is its address. ``segments`` is a label map for the segmentation ``custom``. ``form``
    gives fields as text instead, as with ``curl -F``: ``{"options.samples": "500"}``; the service
    reads each by its type. ``idempotency_key`` is made up where none is given.
    """

    model: str
    version: int
    classes: int | Sequence[int | str] | Mapping[str, Any]
    preset: str
    options: Mapping[str, Any]
    overlays: Sequence[str | Mapping[str, Any]]
    queue: str
    retention_s: int
    metadata: Mapping[str, str]
    webhook: str | Mapping[str, Any]
    segments: ImageSource
    form: Mapping[str, str]
    idempotency_key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One HTTP request.

    Attributes
    ----------
    method, path : str
        The path begins with a slash; it is put under the address of the service.
    form : mapping of str to str
        Text fields of a multipart body.
    files : tuple
        File parts: field name, file name, bytes.
    timeout_s : float or None
        Longest silence while reading; None takes the client's.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    files: tuple[tuple[str, str, bytes], ...] = ()
    timeout_s: float | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def get(path: str, **headers: str) -> Call:
    """Ask for a path of the service."""
    return Call(method="GET", path=path, headers=headers)


def job_path(job_id: str) -> str:
    """Path of a job.

    Raises
    ------
    BadSettings
        If the id would name another path.
    """
    return f"{JOBS}/{_one_part(job_id)}"


def webhook_path(job_id: str) -> str:
    """Path of a job's delivery log."""
    return f"{job_path(job_id)}/webhook"


def model_path(name: str) -> str:
    """Path of a model."""
    return f"{MODELS}/{_one_part(name)}"


def own_path(link: str) -> str:
    """Return a link of an answer, if it stays at the service: the API key goes with each call.

    Raises
    ------
    BadSettings
        If it does not.
    """
    if not link.startswith("/") or link.startswith("//") or "\\" in link:
        raise BadSettings(f"The link {link[:200]!r} leads away from the service.")
    return link


def submission(image: ImageSource, fields: JobFields) -> Call:
    """Make the POST that submits a job.

    Parameters
    ----------
    image : bytes, path or binary file
        A file is read from where it stands.
    fields : JobFields

    Raises
    ------
    BadSettings
        If the fields contradict each other.
    OSError
        If a file cannot be read.
    """
    given: dict[str, Any] = dict(fields)
    key = given.pop("idempotency_key", None) or secrets.token_urlsafe(24)
    if not (key.isascii() and key.isprintable() and len(key) <= _MAX_KEY):
        raise BadSettings(f"An idempotency key is printable ASCII of up to {_MAX_KEY} characters.")
    files = [("image", *read_image(image))]
    if (segments := given.pop("segments", None)) is not None:
        files.append(("segments", *read_image(segments)))
    form = given.pop("form", None)
    document = {name: value for name, value in given.items() if value is not None}
    if form is not None and document:
        raise BadSettings("Give the fields either by name or as `form`, not both.")
    if form is None and document:
        form = {"request": _as_json(document)}
    return Call(
        method="POST",
        path=JOBS,
        headers={"Idempotency-Key": key},
        form=form or {},
        files=tuple(files),
    )


def read_image(source: ImageSource) -> tuple[str, bytes]:
    """File name (without its folder) and bytes of an image.

    Raises
    ------
    BadSettings
        If it is something else, for instance a file opened as text.
    OSError
        If it cannot be read.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return "image", bytes(source)
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        return path.name, path.read_bytes()
    data = source.read() if hasattr(source, "read") else None
    if not isinstance(data, bytes):
        raise BadSettings("An image is bytes, the path of a file, or a file opened in binary mode.")
    name = getattr(source, "name", None)
    return Path(name).name if isinstance(name, str) else "image", data


def _as_json(document: dict[str, Any]) -> str:
    classes = document.get("classes")
    if isinstance(classes, int):
        document["classes"] = {"top": classes}
    if isinstance(document.get("webhook"), str):
        document["webhook"] = {"url": document["webhook"]}
    try:
        return json.dumps(document, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise BadSettings(f"The request cannot be written as JSON: {error}.") from error


def _plain(value: Any) -> Any:
    """Write what is like an object or an array as one, such as a mapping proxy or a range."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def _one_part(name: str) -> str:
    if not name or not all(letter.isalnum() or letter in "._-" for letter in name) or ".." in name:
        raise BadSettings(f"{name[:80]!r} is not the id of a job or the name of a model.")
    return name
