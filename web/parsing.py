"""From the body of a POST to a checked request and the bytes that came with it."""

from __future__ import annotations

import binascii
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import IO, Any

import flask
import structlog
from gunicorn.http.errors import ParseException
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.utils import cached_property

from web import strict_json
from web.errors import (
    FieldError,
    InvalidRequest,
    MalformedRequest,
    UnsupportedCoding,
    UnsupportedContentType,
)
from web.form_fields import document_of
from web.patience import PatientSocket
from web.schemas import Base64Data, ImageUrl, JobFields, JsonBody, validate

# What costs more to read than a new connection does.
_DISCARD_BYTES = 1_000_000
_CHUNK = 65_536
FILES = ("image", "segments")
_DOCUMENT = "request"
_log = structlog.get_logger("web.parsing")
_TYPES = "multipart/form-data or application/json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """A job request as it came, its fields checked.

    Attributes
    ----------
    fields : JobFields
    image : bytes
        The file that was uploaded, or fetched from where the request said; not looked at yet.
    segments : bytes or None
        The uploaded label map.
    is_text : bool
        Whether the options came as text and are to be read by the type of their field.
    """

    fields: JobFields
    image: bytes
    segments: bytes | None
    is_text: bool = False


class FormParser(FormDataParser):
    """Werkzeug's parser, which by default takes a broken body for an empty one."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **{**settings, "silent": False})


class Request(flask.Request):
    """A request whose parts stay in memory: MAX_CONTENT_LENGTH bounds them all."""

    form_data_parser_class = FormParser

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return io.BytesIO()

    @cached_property
    def stream(self) -> IO[bytes]:
        """Return the body; everything that reads it reads it here.

        Raises
        ------
        UnsupportedCoding
            If it is compressed: what it grows to would have to be bounded once more.
        """
        for header, plain in (("Content-Encoding", "identity"), ("Transfer-Encoding", "chunked")):
            coding = self.headers.get(header, "").strip()
            if coding.lower() not in ("", plain):
                raise UnsupportedCoding(header, coding)
        return super().stream

    def discard_rest(self) -> None:
        """Read what has come of a body that nobody wanted; if more is to come, wait for none.

        Then the connection is closed after the answer, in ``web.lingering``.
        """
        connection: PatientSocket | None = self.environ.get("gunicorn.socket")
        has_body = self.content_length or "HTTP_TRANSFER_ENCODING" in self.environ
        if connection is None or not has_body:
            return
        stream, left = self.environ["wsgi.input"], _DISCARD_BYTES
        connection.settimeout(0)
        try:
            while left > 0 and (data := stream.read(_CHUNK)):
                left -= len(data)
            is_read = left > 0
        except (OSError, ParseException) as error:
            _log.debug("a body was not read to its end", error=str(error))
            is_read = False
        finally:
            connection.setblocking(True)
        if not is_read:
            connection.close_after()


def read_submission(request: flask.Request, *, fetch: Callable[[str], bytes]) -> Submission:
    """Read and check the body of ``POST /v1/explanations``.

    Parameters
    ----------
    request : flask.Request
    fetch : callable
        From the URL of an image to its bytes; called when the fields have been checked.

    Raises
    ------
    RequestError
        If it is of another content type, cannot be read, or a field is not as it must be.
    werkzeug.exceptions.HTTPException
        If it is too large or ends early.
    """
    if request.mimetype == "multipart/form-data":
        return _from_form(request)
    if request.mimetype == "application/json":
        return _from_json(request, fetch)
    raise UnsupportedContentType(f"Send {_TYPES}, not {request.mimetype[:80] or 'nothing'}.")


def _from_json(request: flask.Request, fetch: Callable[[str], bytes]) -> Submission:
    data = request.get_data(cache=False)
    if request.content_length is not None and len(data) < request.content_length:
        raise MalformedRequest("The body ends before the length that its header announced.")
    body = validate(JsonBody, strict_json.loads(data))
    segments = None if body.segments is None else _decoded(body.segments, "/segments/base64")
    if isinstance(body.image, ImageUrl):
        image = fetch(body.image.url)
    else:
        image = _decoded(body.image, "/image/base64")
    return Submission(fields=body, image=image, segments=segments)


def _decoded(data: Base64Data, pointer: str) -> bytes:
    try:
        return binascii.a2b_base64(data.base64, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest.at(
            pointer, "must be base64 without line breaks and without a data: prefix"
        ) from error


def form_of(request: flask.Request) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
    """Return the fields and the files of a form.

    Raises
    ------
    MalformedRequest
        If the body cannot be read.
    werkzeug.exceptions.HTTPException
        If it is too large or ends early.
    """
    try:
        return request.form, request.files
    except ValueError as error:
        raise MalformedRequest("The multipart body is broken or ends early.") from error


def _from_form(request: flask.Request) -> Submission:
    fields, files = form_of(request)
    _refuse_misfits(fields.lists(), files.lists())
    image, segments = (bytes_of(files.get(name)) for name in FILES)
    assert image is not None  # noqa: S101 - _refuse_misfits has seen it.
    document = fields.get(_DOCUMENT) or _text_of(files.get(_DOCUMENT), request)
    others = {name: text for name, text in fields.items() if name != _DOCUMENT}
    if document is None:
        checked = validate(JobFields, document_of(others), text=True)
        return Submission(fields=checked, image=image, segments=segments, is_text=True)
    if others:
        raise InvalidRequest.at(
            f"/{next(iter(others))}",
            "send the fields either in the part `request` or as form fields, not both",
        )
    checked = validate(JobFields, strict_json.loads(document))
    return Submission(fields=checked, image=image, segments=segments)


def _refuse_misfits(
    fields: Iterable[tuple[str, list[str]]], files: Iterable[tuple[str, list[FileStorage]]]
) -> None:
    """Refuse parts that came twice, without a name, unknown, or in the wrong form."""
    texts: dict[str | None, list[str]] = dict(fields)
    uploads: dict[str | None, list[FileStorage]] = dict(files)
    # Werkzeug's types do not say so, but the name of a part that has none is None.
    if None in texts or None in uploads:
        raise MalformedRequest("A part of the multipart body has no name.")
    wrong: list[FieldError] = []
    for name in dict.fromkeys([*texts, *uploads]):
        if len(texts.get(name, ())) + len(uploads.get(name, ())) > 1:
            wrong.append(FieldError(pointer=_pointer(name), detail="was given more than once"))
        elif name in FILES and name in texts:
            detail = f"came as text; send the file itself, with curl: -F {name}=@FILE"
            wrong.append(FieldError(pointer=_pointer(name), detail=detail))
        elif name in uploads and name not in (*FILES, _DOCUMENT):
            detail = f"unknown file; those that exist: {', '.join(FILES)}"
            wrong.append(FieldError(pointer=_pointer(name), detail=detail))
    if "image" not in texts and "image" not in uploads:
        detail = "is required: send the image file, with curl: -F image=@FILE"
        wrong.append(FieldError(pointer="/image", detail=detail))
    if wrong:
        raise InvalidRequest(wrong)


def _pointer(name: str | None) -> str:
    return f"/{(name or '')[:80]}"


def bytes_of(file: FileStorage | None) -> bytes | None:
    """Return what a file holds; None if there is none."""
    if file is None:
        return None
    stream = file.stream
    return stream.getvalue() if isinstance(stream, io.BytesIO) else stream.read()


def _text_of(file: FileStorage | None, request: flask.Request) -> bytes | None:
    """Read the part ``request`` where it was sent as a file, under the limit of fields."""
    data = bytes_of(file)
    limit = request.max_form_memory_size
    if data is not None and limit is not None and len(data) > limit:
        raise RequestEntityTooLarge
    return data
