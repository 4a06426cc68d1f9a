"""Bodies that are too large, broken, or of the wrong parts."""

from __future__ import annotations

import gzip

from tests.support.bad_input.case import HUGE, PNG, BadInput, of_form
from tests.support.requests import BOUNDARY, JSON, MULTIPART, Part, form, image_part, multipart


def _nameless(more):
    """A good image beside a part whose disposition gives no name."""
    part = f"--{BOUNDARY}\r\nContent-Disposition: form-data{more}\r\n\r\nx\r\n"
    return part.encode() + form(PNG)


BODIES = [
    BadInput(
        name="urlencoded body",
        status=415,
        slug="unsupported-media-type",
        body=b"model=x",
        content_type="application/x-www-form-urlencoded",
    ),
    BadInput(
        name="image as the whole body",
        status=415,
        slug="unsupported-media-type",
        body=PNG,
        content_type="image/png",
    ),
    *(
        BadInput(
            name=f"{coding} {content_type[:12]}",
            status=415,
            slug="unsupported-media-type",
            body=gzip.compress(form(PNG)),
            content_type=content_type,
            says=f"has the Content-Encoding '{coding}'",
            headers={"Content-Encoding": coding},
        )
        for coding in ("gzip", "deflate", "br", "zstd", "gzip, identity", "x-gzip", "nonsense")
        for content_type in (MULTIPART, JSON)
    ),
    BadInput(name="no content type", status=415, slug="unsupported-media-type", body=PNG),
    of_form(
        "field over 500 kB", form(PNG, model="m" * 500_001), status=413, slug="payload-too-large"
    ),
    of_form(
        "request document over 500 kB, sent as a file",
        multipart(image_part(PNG), Part("request", b" " * 500_001, "r.json", JSON)),
        status=413,
        slug="payload-too-large",
    ),
    of_form(
        "too many parts",
        multipart(image_part(PNG), *(Part(f"metadata.{n}", b"x") for n in range(2_000))),
        status=413,
        slug="payload-too-large",
    ),
    of_form("multipart without boundaries", b"no boundary in here", status=400),
    of_form("multipart cut in the image", form(PNG)[: len(PNG) // 2], status=400),
    of_form("multipart without its last boundary", form(PNG)[: -len(BOUNDARY) - 4], status=400),
    of_form(
        "part without a disposition",
        f"--{BOUNDARY}\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
        status=400,
    ),
    of_form("field without a name", _nameless(""), status=400, says="no name"),
    of_form("file without a name", _nameless('; filename="a.png"'), status=400, says="no name"),
    BadInput(
        name="multipart without a boundary parameter",
        status=400,
        slug="invalid-request",
        body=form(PNG),
        content_type="multipart/form-data",
    ),
    of_form("no image", form(None, model="x"), "/image", says="required"),
    of_form("no parts at all", multipart(), "/image"),
    of_form("image twice", multipart(image_part(PNG), image_part(PNG)), "/image"),
    of_form("image as text", form(None, image="cat.jpg"), "/image", says="-F image=@"),
    of_form(
        "image as file and as text",
        multipart(image_part(PNG), Part("image", b"cat.jpg")),
        "/image",
    ),
    of_form(
        "a file that nobody asked for",
        multipart(image_part(PNG), Part("mask", PNG, "mask.png")),
        "/mask",
        says="segments",
    ),
    of_form(
        "segments twice", multipart(image_part(PNG), *[Part("segments", PNG, "a")] * 2), "/segments"
    ),
    of_form(
        "request document and fields",
        form(PNG, request="{}", classes="2"),
        "/classes",
        says="not both",
    ),
    of_form("bad JSON in the part request", form(PNG, request="{"), status=400),
    of_form("field twice", multipart(image_part(PNG), *[Part("model", b"m")] * 2), "/model"),
    of_form(
        "field that is not UTF-8", multipart(image_part(PNG), Part("model", b"\xff")), "/model"
    ),
    of_form("NUL in a field", form(PNG, model="a\0b"), "/model"),
    of_form(
        "unknown field in a form", form(PNG, modle="x"), "/modle", says="model, version, classes"
    ),
    of_form(
        "unknown option in a form",
        form(PNG, options__sampels="5"),
        "/options/sampels",
        says="samples",
    ),
    of_form("word for a number in a form", form(PNG, options__samples="many"), "/options/samples"),
    of_form("0 samples in a form", form(PNG, options__samples="0"), "/options/samples"),
    of_form("5,000 digits in a form", form(PNG, options__samples=HUGE), "/options/samples"),
    of_form("NaN in a form", form(PNG, options__kernel_width="nan"), "/options/kernel_width"),
    of_form(
        "a class index meant as a count", form(PNG, classes="285"), "/classes", says="classes=285,"
    ),
    of_form("0 classes", form(PNG, classes="0"), "/classes/top"),
]
