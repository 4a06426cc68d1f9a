"""From the page's form, sent with or without JavaScript, to a submission like any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import flask
from werkzeug.datastructures import FileStorage, MultiDict

from web.errors import FieldError, InvalidRequest
from web.form_fields import document_of
from web.parsing import Submission, bytes_of, form_of
from web.schemas import JobFields, validate
from web.sessions import CSRF_FIELD
from web.site.samples import Samples
from worker.explain.presets import PRESETS

IMAGE = "image"
SEGMENTS = "segments"
SAMPLE = "sample"
SAME_IMAGE = "same_image_as"
TOP_CLASSES = "classes_top"
NAMED_CLASSES = "classes_named"
FILENAME = "filename"
_OWN = frozenset({SAMPLE, SAME_IMAGE, TOP_CLASSES, NAMED_CLASSES, CSRF_FIELD})
_MAX_FILENAME = 200

# The pictures to take away. Blue and orange can be told apart with any colour vision.
_COLOURS = "blue-orange"
_PICTURES: tuple[Mapping[str, str], ...] = (
    {"style": "signed", "colours": _COLOURS},
    {"style": "sheet", "colours": _COLOURS},
)


def read_page_form(
    request: flask.Request, *, samples: Samples, image_of: Callable[[str], bytes]
) -> Submission:
    """Read the form.

    Fields and files that were left empty count as not sent.

    Parameters
    ----------
    request : flask.Request
    samples : Samples
    image_of : callable
        Returns the image of another job by its id.

    Raises
    ------
    RequestError, worker.jobs.errors.JobsError
        If it cannot be used.
    werkzeug.exceptions.HTTPException
        If it is too large or ends early.
    """
    fields, files = form_of(request)
    texts = _filled(fields)
    image, name = _image(texts, files, samples, image_of)
    document = document_of({key: text for key, text in texts.items() if key not in _OWN})
    document |= _classes(texts)
    preset = document.get("preset", "default")
    if preset in PRESETS:
        document.setdefault("overlays", _overlays(preset))
    metadata = document.setdefault("metadata", {})
    if isinstance(metadata, dict) and name:
        metadata.setdefault(FILENAME, name[-_MAX_FILENAME:])
    return Submission(
        fields=validate(JobFields, document, text=True),
        image=image,
        segments=bytes_of(_file(files, SEGMENTS)),
        is_text=True,
    )


def _filled(fields: MultiDict[str, str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    wrong: list[FieldError] = []
    for name, values in fields.lists():
        filled = [value.strip() for value in values if value.strip()]
        if len(filled) > 1:
            wrong.append(FieldError(pointer=f"/{name[:80]}", detail="was given more than once"))
        elif filled:
            texts[name] = filled[0]
    if wrong:
        raise InvalidRequest(wrong)
    return texts


def _image(
    texts: Mapping[str, str],
    files: MultiDict[str, FileStorage],
    samples: Samples,
    image_of: Callable[[str], bytes],
) -> tuple[bytes, str]:
    """Return the image and what to call it: the file that was sent, else what was chosen."""
    sent = _file(files, IMAGE)
    if sent is not None:
        return bytes_of(sent) or b"", (sent.filename or "").replace("\\", "/").rpartition("/")[2]
    if SAMPLE in texts:
        sample = samples.named(texts[SAMPLE])
        return sample.file.read_bytes(), f"{sample.name}{sample.file.suffix}"
    if SAME_IMAGE in texts:
        return image_of(texts[SAME_IMAGE]), ""
    raise InvalidRequest.at("/image", "is missing: choose an image file first")


def _file(files: MultiDict[str, FileStorage], name: str) -> FileStorage | None:
    """Return a file that was chosen; browsers send an empty one where none was."""
    file = files.get(name)
    return file if file is not None and file.filename else None


def _classes(texts: Mapping[str, str]) -> dict[str, Any]:
    """Names or indices count before a number of classes, which always has some value."""
    if NAMED_CLASSES in texts:
        named = [item.strip() for item in texts[NAMED_CLASSES].split(",") if item.strip()]
        return {"classes": [int(item) if _is_index(item) else item for item in named]}
    if TOP_CLASSES in texts:
        return {"classes": {"top": texts[TOP_CLASSES]}}
    return {}


def _is_index(text: str) -> bool:
    return text.isdecimal() and len(text) < 10  # noqa: PLR2004


def _overlays(preset: str) -> list[Mapping[str, str]]:
    """Choose the pictures to take away: ours, and those that the preset is known for."""
    ours = {picture["style"] for picture in _PICTURES}
    own = [{"style": style} for style in PRESETS[preset].overlays if style not in ours]
    return [*_PICTURES, *own]
