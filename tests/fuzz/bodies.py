"""Requests with mistakes: forms, documents, paths, queries and headers."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field

from hypothesis import strategies as st

from tests.fuzz.files import files, originals, with_bytes_changed
from tests.support import pictures
from tests.support.requests import BOUNDARY, JSON, MULTIPART, Part, multipart

EXPLANATIONS = "/v1/explanations"
_UNKNOWN = "exp_" + "0" * 32
PNG = pictures.png()
# Words that mean something somewhere in a request, so that drawing gets beyond "unknown field".
NAMES = (
    "image", "segments", "request", "model", "version", "classes", "preset", "options", "overlays",
    "webhook", "queue", "retention_s", "metadata", "segmentation", "baseline", "sampler", "samples",
    "seed", "method", "rows", "columns", "n_segments", "compactness", "colour", "sigma", "style",
    "kernel_width", "distance", "surrogate", "alpha", "top", "top_k", "url", "events", "base64",
    "limit", "cursor", "status", "expires_in_s", "key", "format", "opacity",
)  # fmt: skip
WORDS = (
    "lite0", "default", "slic", "grid", "felzenszwalb", "quickshift", "custom", "blur", "mean",
    "colour", "signed", "heatmap", "sheet", "interactive", "bulk", "antithetic", "orthogonal",
    "tabby", "Egyptian cat", "0", "-1", "3", "3,", "1e999", "nan", "true", "null", "", "²", "٣",
    "../../x", "a\0b", "\ud800", "9" * 5_000, "https://example.org/hook", "https://127.1/", "{}",
    "succeeded", "image/png", "\u202e", "😀", "'", '"', "<script>", "%s", "{0}", "x" * 300,
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 10, 1000, 10**9, 2**31, 2**63, -(2**63), 10**30, 0.5, -0.0, 1e308, 5e-324)

# What is good by itself, so that a request with one mistake gets as far as that mistake.
SOUND = {
    "model": "lite0",
    "classes": "1,2",
    "preset": "default",
    "options.samples": "64",
    "options.segmentation": "grid",
    "options.seed": "7",
    "overlays": "signed,sheet",
    "queue": "bulk",
    "retention_s": "600",
    "metadata.ticket": "4711",
}
SOUND_DOCUMENT = {
    "model": "lite0",
    "version": None,
    "classes": [1, "tabby"],
    "options": {"samples": 64, "segmentation": {"method": "slic", "n_segments": 20}},
    "overlays": [{"style": "sheet"}, "signed"],
    "queue": "interactive",
    "metadata": {"ticket": "4711"},
}

names = st.sampled_from(NAMES) | st.text(max_size=20)
words = st.sampled_from(WORDS) | st.text(max_size=40)
numbers = st.sampled_from(NUMBERS) | st.floats(allow_nan=True, allow_infinity=True)
values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@dataclass(frozen=True)
class Sent:
    """A request as it is sent."""

    path: str = EXPLANATIONS
    method: str = "POST"
    body: bytes = b""
    content_type: str | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)


def _encodable(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@st.composite
def forms(draw: st.DrawFn) -> Sent:
    """Draw a form of known and unknown fields and files."""
    sound = draw(st.lists(st.sampled_from(sorted(SOUND)), unique=True, max_size=5))
    parts = [Part(name, SOUND[name].encode()) for name in sound]
    if draw(st.integers(0, 3)):
        parts.insert(0, Part("image", draw(st.just(PNG) | files()), draw(words.map(_in_header))))
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 4]))):
        name = draw(st.lists(names, min_size=1, max_size=4).map(".".join))
        filename = draw(st.none() | words)
        data = draw(
            words.map(_encodable)
            | st.binary(max_size=50)
            | values.map(lambda value: json.dumps(value).encode())
        )
        kind = draw(st.sampled_from([None, "application/json", "text/plain; charset=utf-16", "x"]))
        parts.append(Part(_in_header(name), data, filename and _in_header(filename), kind))
    body = multipart(*parts)
    if not draw(st.integers(0, 3)):
        body = draw(with_bytes_changed(body))
    return Sent(body=body, content_type=MULTIPART)


def _in_header(text: str) -> str:
    # What is left is written as it is: quotes, backslashes and line ends included.
    return text.encode("utf-8", "replace").decode()


@st.composite
def documents(draw: st.DrawFn) -> Sent:
    """Draw a JSON document, whole or with mistakes in its text."""
    sound = draw(st.lists(st.sampled_from(sorted(SOUND_DOCUMENT)), unique=True))
    document = {name: SOUND_DOCUMENT[name] for name in sound}
    document |= draw(st.dictionaries(names, values, max_size=draw(st.sampled_from([0, 1, 5]))))
    if draw(st.integers(0, 3)):
        image = draw(st.just(PNG) | files() | st.sampled_from(originals()))
        document["image"] = {"base64": base64.b64encode(image).decode()}
    if not draw(st.integers(0, 3)):
        document["options"] = draw(st.dictionaries(names, values, max_size=4))
    body = json.dumps(document if draw(st.integers(0, 9)) else draw(values)).encode()
    if not draw(st.integers(0, 3)):
        body = draw(with_bytes_changed(body))
    path = draw(
        st.sampled_from([EXPLANATIONS] * 6 + ["/session", f"{EXPLANATIONS}/{_UNKNOWN}/share"])
    )
    return Sent(path=path, body=body, content_type=JSON)


@st.composite
def raw_bodies(draw: st.DrawFn) -> Sent:
    """Draw bytes under some content type."""
    return Sent(
        body=draw(st.binary(max_size=300)),
        content_type=draw(
            st.sampled_from(
                [
                    JSON,
                    MULTIPART,
                    "multipart/form-data",
                    'multipart/form-data; boundary="',
                    "multipart/form-data; boundary=" + "b" * 500,
                    f"multipart/mixed; boundary={BOUNDARY}",
                    "application/json; charset=utf-7",
                    "application/x-www-form-urlencoded",
                    "text/plain",
                    "",
                ]
            )
            | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
        ),
    )


_PIECES = (
    "v1", "explanations", "models", "lite0", "problems", "v2", "health", "ready", "live",
    "session", "events", "cancel", "share", "image", "overlays", "segments.png",
    "attributions.json", "signed.png", "signed", "webhook", "redeliver", "docs", "metrics",
    "openapi.json", _UNKNOWN, "..", ".", "", "%00", "%2F", "%ED%A0%80", "285", "-1", "²",
    "9" * 5_000,
)  # fmt: skip
_HEADERS = (
    "Authorization", "Cookie", "If-None-Match", "Last-Event-ID", "Range", "Idempotency-Key",
    "Accept", "X-CSRF-Token", "X-Forwarded-For", "Origin", "Content-Length", "Transfer-Encoding",
    "Accept-Language",
)  # fmt: skip
_pieces = st.sampled_from(_PIECES) | st.text(max_size=12)
_latin = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)


@st.composite
def paths(draw: st.DrawFn, job: str) -> Sent:
    """Draw a request for some path, with a query and headers; ``job`` is the id of a real one."""
    pieces = draw(st.lists(_pieces, max_size=5))
    if draw(st.booleans()):
        pieces = ["v1", "explanations", job, *pieces[:3]]
    path = "/" + "/".join(pieces)
    if draw(st.booleans()):
        path = EXPLANATIONS
    query = draw(st.lists(st.tuples(names, words), max_size=3))
    text = "&".join(f"{name}={value}" for name, value in query)
    headers = draw(st.lists(st.tuples(st.sampled_from(_HEADERS), _latin), max_size=3))
    # A request target is bytes: what is no character is sent as what its bytes would be.
    target = f"{path}?{text}" if text else path
    method = draw(st.sampled_from(["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"]))
    return Sent(_in_header(target), method, b"", None, headers)
