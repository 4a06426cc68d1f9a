"""Bodies of ``POST /v1/explanations``, byte by byte, so that they can also be wrong."""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

BOUNDARY = "limelight-test-boundary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
JSON = "application/json"


class Part(NamedTuple):
    name: str
    data: bytes
    filename: str | None = None
    content_type: str | None = None


def multipart(*parts: Part) -> bytes:
    return b"".join(map(_part, parts)) + f"--{BOUNDARY}--\r\n".encode()


def image_part(data: bytes, filename: str = "cat.jpg") -> Part:
    return Part("image", data, filename, "application/octet-stream")


def form(image: bytes | None, /, segments: bytes | None = None, **fields: str) -> bytes:
    """A form; of a field's name ``__`` stands for a dot."""
    parts = [] if image is None else [image_part(image)]
    if segments is not None:
        parts.append(Part("segments", segments, "map.png", "image/png"))
    parts += [Part(name.replace("__", "."), text.encode()) for name, text in fields.items()]
    return multipart(*parts)


def document(image: bytes, /, **fields: Any) -> bytes:
    return json.dumps({"image": as_base64(image), **fields}).encode()


def document_with(image: bytes, more: str) -> bytes:
    """A document whose further members are written out, so that they can be wrong."""
    return f'{{"image": {json.dumps(as_base64(image))}, {more}}}'.encode()


def as_base64(data: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(data).decode()}


def _part(part: Part) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{part.name}"'
    if part.filename is not None:
        head += f'; filename="{part.filename}"'
    if part.content_type is not None:
        head += f"\r\nContent-Type: {part.content_type}"
    return head.encode() + b"\r\n\r\n" + part.data + b"\r\n"
